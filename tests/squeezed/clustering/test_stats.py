"""Statistics of cluster sizes, hand-worked."""

import pytest
import torch

from squeezed.clustering import cluster_statistics


def test_even_lopsided_and_one_giant():
    found = cluster_statistics(torch.tensor([[5, 5, 5, 5], [1, 3, 4, 12], [0, 20, 0, 0]]))
    assert found.clusters.tolist() == [4, 4, 4]
    assert found.empty.tolist() == [0, 0, 3]
    assert found.largest_share.tolist() == [0.25, 0.6, 1.0]
    assert found.mean.tolist() == [5, 5, 5]
    assert found.median.tolist() == [5, 3.5, 0]
    assert found.p99.tolist() == [5, 12, 20]
    # 20^2 / (1 + 9 + 16 + 144) = 400 / 170
    assert found.effective.tolist() == pytest.approx([4, 400 / 170, 1])
    # Gini of 1, 3, 4, 12: (-3 - 3 + 4 + 36) / (4 * 20)
    assert found.gini.tolist() == pytest.approx([0, 34 / 80, 0.75])


def test_p99_is_below_the_largest_of_many():
    counts = torch.arange(1, 201)[None]
    assert cluster_statistics(counts).p99.tolist() == [198]


@pytest.mark.parametrize("counts", [[[0, 0]], [[3, -1]], [[]]])
def test_what_is_no_partition_is_refused(counts):
    with pytest.raises(ValueError, match="counts of"):
        cluster_statistics(torch.tensor(counts, dtype=torch.int64))
