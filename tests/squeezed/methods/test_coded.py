"""Products of queries with the rows of their KV head."""

import pytest
import torch

from squeezed.methods.coded import products


@pytest.mark.parametrize(
    ("batch", "heads", "share", "length"), [(1, 1, 1, 1), (3, 2, 4, 5), (2, 3, 1, 1)]
)
def test_products_are_those_of_each_head(batch, heads, share, length):
    made = torch.Generator().manual_seed(batch)
    query = torch.randn(batch, heads * share, length, 6, generator=made, dtype=torch.float64)
    rows = torch.randn(heads, 7, 6, generator=made)
    found = products(query, rows)
    assert found.dtype == torch.float32
    for head in range(heads * share):
        want = query[:, head].float() @ rows[head // share].T
        torch.testing.assert_close(found[:, head], want)
