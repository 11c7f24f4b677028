"""SnapKV and CAKE: scores from weights that are known, where queries, query heads and neighbours disagree."""

import math

import pytest
import torch

import squeezed
from squeezed.context.window import attention_spread
from tests.squeezed.conftest import context_of, layer_of


def seen(*heads, **fields):
    """A layer whose two window queries give these weights, ``[query head][query][key]``, to its keys.

    Each query has an entry of the keys to itself; the window's own keys get nothing.
    """
    weights = torch.tensor(heads)  # [G, 2, M]
    keys = weights.clamp(min=1e-20).log().flatten(0, 1).T  # [M, 2 G]
    window = torch.full((2, keys.shape[1]), -50.0)
    queries = torch.eye(keys.shape[1]).unflatten(0, (-1, 2))
    count = len(keys)
    return layer_of(
        torch.cat([keys, window]), range(count), ((0, 1, count),), queries=queries, **fields
    )


def entropy(*weights):
    return -sum(w * math.log(w) for w in weights)


def scores(layer, method):
    return method.scores(context_of(layer), 0)[0].tolist()


# Two queries of one head, which disagree.
ONE, OTHER = [0.5, 0.25, 0.25], [0.1, 0.2, 0.7]
# Half of the differences, squared.
VARIANCE = [0.2**2, 0.025**2, 0.225**2]


def test_attention_spreads_over_keys_and_shifts_over_queries():
    found = attention_spread(seen([ONE, OTHER]), 2)
    assert found == pytest.approx((entropy(*ONE) + entropy(*OTHER), sum(VARIANCE)), rel=1e-5)
    # A second query head whose queries agree: half as much shifts.
    found = attention_spread(seen([ONE, OTHER], [ONE, ONE]), 2)
    want = (3 * entropy(*ONE) + entropy(*OTHER)) / 2, sum(VARIANCE) / 2
    assert found == pytest.approx(want, rel=1e-5)


def test_cake_scores_the_mean_and_the_variance_over_queries():
    want = [0.3 + 10 * VARIANCE[0], 0.225 + 10 * VARIANCE[1], 0.475 + 10 * VARIANCE[2]]
    method = squeezed.CAKE(kernel=1, gamma=10.0, queries=2)
    assert scores(seen([ONE, OTHER]), method) == pytest.approx(want, rel=1e-4)


@pytest.mark.parametrize(
    ("tau", "rows"), [((1, 1), (5, 7)), ((0.5, 1), (6, 6)), ((1, 0.5), (3, 9))]
)
def test_cake_gives_layers_rows_by_spread_and_shift(tau, rows):
    """Twelve keys: more change places in one layer, more are seen in the other."""
    even, uneven = [0.05] * 10, [0.41] + [0.01] * 9
    calm, wild = ([0.3, 0.2], [0.2, 0.3]), ([0.325, 0.175], [0.175, 0.325])
    layers = seen([[*each, *even] for each in calm]), seen([[*each, *uneven] for each in wild])
    bound = squeezed.CAKE(sparsity=0.5, queries=2, tau1=tau[0], tau2=tau[1]).bind(
        context_of(*layers), "reference"
    )
    spread = [2 * entropy(*calm[0], *even), 2 * entropy(*wild[0], *uneven)]
    shift = [2 * 0.05**2, 2 * 0.075**2]
    parts = [h ** (1 / tau[0]) * v ** (1 / tau[1]) for h, v in zip(spread, shift, strict=True)]
    assert tuple(round(12 * each / sum(parts)) for each in parts) == rows
    assert tuple(int(each.keep.sum()) for each in bound) == rows


def test_neighbours_of_a_hit_stay_with_it_by_the_largest_or_by_the_mean():
    # One hit of 0.4, and three neighbours of 0.16 each that together have more.
    weights = [0.4, 0.01, 0.01, 0.05, 0.16, 0.16, 0.16, 0.05]
    layer = seen([weights, weights])
    best = {}
    for pool in ("max", "mean"):
        found = scores(layer, squeezed.SnapKV(pool=pool, kernel=3, queries=2))
        best[pool] = found.index(max(found))
        method = squeezed.SnapKV(sparsity=7 / 8, pool=pool, kernel=3, queries=2)
        assert method.bind(context_of(layer), "reference")[0].keep[0].nonzero().tolist() == [
            [best[pool]]
        ]
    assert best == {"max": 0, "mean": 5}
    middle = scores(layer, squeezed.SnapKV(pool="mean", kernel=3, queries=2))[5]
    assert middle == pytest.approx(0.16, rel=1e-4)


def test_query_heads_count_by_their_mean_or_the_largest():
    # One head gives the first key 0.6 and the other none; the second key has 0.35 from both.
    heads = [[[0.6, 0.35, 0.05]] * 2, [[0.01, 0.35, 0.64]] * 2]
    mean = scores(seen(*heads), squeezed.SnapKV(kernel=1, queries=2))
    largest = scores(seen(*heads), squeezed.SnapKV(kernel=1, queries=2, group="max"))
    assert mean == pytest.approx([0.305, 0.35, 0.345], rel=1e-4)
    assert largest == pytest.approx([0.6, 0.35, 0.64], rel=1e-4)
