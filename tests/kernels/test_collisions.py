"""Hash tables in which queries and keys meet."""

import pytest
import torch
from squeezed_kernels import backends, collisions


@pytest.mark.parametrize("backend", [name for name in backends() if name != "triton"])
@pytest.mark.parametrize(
    ("heads", "queries", "tables", "keys"),
    [(1, 1, 1, 1), (2, 5, 7, 33), (3, 2, 150, 4099), (2, 0, 3, 9), (2, 3, 4, 0)],
)
def test_counts_are_those_of_equal_codes(backend, heads, queries, tables, keys):
    draw = torch.Generator().manual_seed(keys)
    asked, stored = (
        torch.randint(-3, 3, shape, generator=draw, dtype=torch.int16)
        for shape in ((heads, queries, tables), (heads, tables, keys))
    )
    found = collisions(asked, stored, backend=backend)
    wanted = (asked[..., None] == stored[:, None]).sum(2)
    assert found.dtype == torch.int16
    assert torch.equal(found.long(), wanted)


def test_codes_that_lie_otherwise_in_memory_count_alike():
    draw = torch.Generator().manual_seed(0)
    asked, stored = (
        torch.randint(0, 4, (2, 6, 5), generator=draw, dtype=torch.int16) for _ in range(2)
    )
    turned = asked.transpose(1, 2), stored
    assert torch.equal(
        collisions(*turned),
        collisions(*(each.contiguous() for each in turned), backend="reference"),
    )


@pytest.mark.parametrize(
    ("asked", "stored", "message"),
    [
        (torch.zeros(2, 3, 4), torch.zeros(2, 4, 5, dtype=torch.int16), "asked is torch.float32"),
        (
            torch.zeros(2, 3, 4, dtype=torch.int16),
            torch.zeros(2, 3, 5, dtype=torch.int16),
            "stored is",
        ),
        (
            torch.zeros(2, 3, 4, dtype=torch.int16),
            torch.zeros(2, 4, 5, dtype=torch.int32),
            "stored is",
        ),
    ],
    ids=["type", "tables", "type of keys"],
)
def test_what_does_not_fit_is_refused(asked, stored, message):
    with pytest.raises(ValueError, match=message):
        collisions(asked, stored)
