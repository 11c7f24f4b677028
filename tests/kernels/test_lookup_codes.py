"""The lookup of keys by their codes against float64, every backend."""

import itertools

import pytest
import torch
from squeezed_kernels import lookup_codes

from tests.kernels import exact
from tests.kernels.exact import CASES, device_of, random, random_offsets, relative_error

BACKENDS = ["reference", "cpu", "triton"]


def inputs(backend, case, size, keys, seed=0, scale=1.0):
    """Weights, base, codes, offsets: groups of very different sizes, some of them empty."""
    heads, share = case.heads, case.share
    made = torch.Generator().manual_seed(seed + 3)
    weights = random(case.batch, heads * share, case.length, 8 * size, seed=seed, scale=scale)
    base = random(case.batch, heads * share, case.length, 7, seed=seed + 1, scale=scale)
    codes = torch.randint(0, 256, (heads, keys, size), generator=made, dtype=torch.uint8)
    offsets = random_offsets(heads, 7, keys, seed=seed + 2)
    return [each.to(device_of(backend)) for each in (weights, base, codes, offsets)]


def wanted(weights, base, codes, offsets, **options):
    """By float64: bit by bit, the group's logit by a column of its own."""
    bits = torch.stack([codes >> k & 1 for k in range(8)], dim=-1).flatten(2)
    own = torch.zeros(*codes.shape[:2], base.shape[-1])
    for head, ends in enumerate(offsets.tolist()):
        for group, (first, end) in enumerate(itertools.pairwise(ends)):
            own[head, first:end, group] = 1
    keys = torch.cat([bits.cpu().float(), own], dim=-1)
    query = torch.cat([weights, base], dim=-1)
    return exact.lookup(query, keys, torch.ones(keys.shape[:2]).int(), 1.0, **options)


def compare(inputs, backend, *, block, **options):
    got = lookup_codes(*inputs, block=block, backend=backend, **options)
    want = wanted(*inputs, block=block, **options)
    assert relative_error(got, want) < 1e-5
    assert relative_error(got.exp(), torch.from_numpy(want).exp().numpy()) < 1e-5
    return got


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_scores(backend, case, reduce):
    for size, keys in ((1, 97), (3, 12), (8, 203)):
        compare(inputs(backend, case, size, keys), backend, block=case.block, reduce=reduce)


@pytest.mark.usefixtures("numba_backend")
@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize(("share", "length"), [(1, 1), (1, 2), (4, 1), (5, 1), (1, 16), (3, 25)])
@pytest.mark.parametrize(("size", "keys"), [(8, 64), (5, 65), (4, 63), (9, 15), (3, 211)])
def test_any_number_of_queries_that_look_together(share, length, size, keys, reduce):
    case = exact.Case(2, 2, share, length, length, 8, 0, 0, 0)
    given = inputs("cpu", case, size, keys)
    compare(given, "cpu", block=length, reduce=reduce, softcap=3.0)
    if length > 1:  # some are no queries, so others look in their place
        valid = random(2, length, seed=9) > 0
        valid[:, -1] = True
        compare(given, "cpu", block=length, reduce=reduce, valid=valid)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("name", ["decode, 4 heads share", "blocks", "prefill"])
def test_padding_and_cap(backend, name, reduce):
    case = CASES[name]
    valid = random(case.batch, case.length, seed=5) > -0.5
    valid[-1, -case.block :] = False
    given = inputs(backend, case, 2, 50)
    scores = compare(
        given,
        backend,
        block=case.block,
        softcap=4.0,
        reduce=reduce,
        valid=valid.to(given[0].device),
    )
    if case.length == case.block:
        assert bool((scores[-1] == -torch.inf).all())  # nothing but padding


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_scores_far_below_the_best_keep_their_order(backend, reduce):
    # Shares down to e ** -1000, which no float32 holds; of logits near 1,000 it holds four decimals.
    given, block = inputs(backend, CASES["blocks"], 4, 60, scale=200.0), CASES["blocks"].block
    scores = lookup_codes(*given, block=block, backend=backend, reduce=reduce)
    assert relative_error(scores, wanted(*given, block=block, reduce=reduce)) < 1e-6
    assert scores.min() < -500
    assert bool(scores.isfinite().all())


def test_a_worked_example():
    # Bits of value 1 and 128 of the only byte weigh 2 and 3; groups start at 10 and 20. Logits: 10, 12, 25.
    weights = torch.zeros(1, 1, 1, 8)
    weights[..., 0], weights[..., 7] = 2.0, 3.0
    codes = torch.tensor([[[0], [1], [129]]], dtype=torch.uint8)
    offsets = torch.tensor([[0, 2, 3]], dtype=torch.int32)
    scores = lookup_codes(weights, torch.tensor([[[[10.0, 20.0]]]]), codes, offsets).flatten()
    want = torch.tensor([10.0, 12.0, 25.0]).log_softmax(0)
    torch.testing.assert_close(scores, want)


def test_what_does_not_fit_is_refused():
    weights, base, codes, offsets = inputs("reference", CASES["blocks"], 2, 9)
    for changes, message in (
        ({"codes": codes.int()}, "expected uint8"),
        ({"weights": weights[..., :9]}, "weights are"),
        ({"base": base[..., :3]}, "offsets is"),
        ({"offsets": offsets[:, 1:]}, "offsets is"),
        ({"reduce": "sum"}, "reduce is 'sum'; expected one of mean, max"),
        ({"block": 0}, "block is 0"),
        ({"softcap": -1.0}, "softcap is -1.0"),
        ({"backend": "none"}, "backend is 'none'"),
    ):
        given = {"weights": weights, "base": base, "codes": codes, "offsets": offsets} | changes
        with pytest.raises(ValueError, match=message):
            lookup_codes(**given)
