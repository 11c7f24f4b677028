"""A token's step in one call: against float64, and the same bits as its parts."""

import pytest
import torch
from squeezed_kernels import (
    Ranked,
    attend,
    attend_groups,
    decode,
    decode_best,
    keep_best,
    lookup,
    merge,
)

from tests.kernels import exact
from tests.kernels.exact import TOLERANCE, random, relative_error

BACKENDS = ["reference", "cpu", "triton"]
TYPES = [torch.float32, torch.bfloat16, torch.float16]
# Heads that share keys (many: the lookup takes another way), one head, one own token, no window, a batch.
SHAPES = {
    "grouped": exact.Case(1, 3, 3, 1, 1, 64, 211, 20, 13),
    "heads of their own": exact.Case(1, 4, 1, 1, 1, 40, 130, 17, 1),
    "one KV head for many": exact.Case(1, 1, 16, 1, 1, 24, 97, 9, 0),
    "a batch": exact.Case(3, 2, 2, 1, 1, 32, 83, 12, 5),
}


def problem(backend, case, dtype, own_tokens):
    query, keys, values, keep, offsets = case.inputs(backend, dtype)
    shape = (case.batch, keys.shape[0], own_tokens, case.size)
    own = tuple(random(*shape, seed=seed, dtype=dtype).to(query.device) for seed in (7, 8))
    return query, own, keys, values, keep, offsets


def by_parts(query, own, keys, values, keep, offsets, scale, **options):
    fixed = attend_groups(query, keys, values, keep, offsets, scale, **options)
    return merge(
        fixed, attend(query, *own, None, scale, **options), backend=options.get("backend", "auto")
    )


def wanted(query, own, keys, values, keep, offsets, scale, softcap):
    """In float64, each member with its own tokens behind the context's rows."""
    outs, logs = [], []
    for b in range(len(query)):
        every = [
            torch.cat([fixed, mine[b]], dim=1) for fixed, mine in ((keys, own[0]), (values, own[1]))
        ]
        kept = exact.kept_rows(keep[b : b + 1], offsets, keys.shape[1], 1)
        more = list(range(keys.shape[1], every[0].shape[1]))
        rows = lambda _, h, token, kept=kept, more=more: [*kept(0, h, token), *more]  # noqa: E731
        out, lse = exact.attend(query[b : b + 1], *every, rows, scale, softcap)
        outs.append(torch.from_numpy(out))
        logs.append(torch.from_numpy(lse))
    return torch.cat(outs).numpy(), torch.cat(logs).numpy()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("own_tokens", "softcap"), [(1, None), (9, 20.0)])
def test_kept_groups_window_and_own_tokens(backend, name, own_tokens, softcap):
    case = SHAPES[name]
    given = problem(backend, case, torch.float32, own_tokens)
    got = decode(*given, case.size**-0.5, softcap=softcap, backend=backend)
    for ours, theirs in zip(got, wanted(*given, case.size**-0.5, softcap), strict=True):
        assert relative_error(ours, theirs) < TOLERANCE[torch.float32]


@pytest.mark.parametrize("backend", BACKENDS)
def test_everything(backend):
    query, own, keys, values, _, _ = problem(backend, SHAPES["grouped"], torch.float32, 4)
    ends = torch.tensor([[0, keys.shape[1]]], dtype=torch.int32, device=keys.device)
    keep = torch.ones(1, len(keys), 1, 1, dtype=torch.bool, device=keys.device)
    want = wanted(query, own, keys, values, keep, ends.expand(len(keys), -1), 0.1, None)
    for ours, theirs in zip(
        decode(query, own, keys, values, None, None, 0.1, backend=backend), want, strict=True
    ):
        assert relative_error(ours, theirs) < TOLERANCE[torch.float32]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("reduce", ["mean", "max"])
def test_the_best_groups_are_those_of_lookup_and_choice(backend, dtype, name, reduce):
    case = SHAPES[name]
    query, own, keys, values, _, offsets = problem(backend, case, dtype, 6)
    counts = offsets.diff(dim=1).int()
    centroids = random(len(keys), counts.shape[1], case.size, seed=3).to(query.device)
    scale, rows = case.size**-0.5, 0.3 * counts.sum().item() / len(keys)
    options = {"softcap": 30.0, "backend": backend}
    scores = lookup(query, centroids, counts, scale, reduce=reduce, **options)
    target = torch.tensor(rows, dtype=torch.float64, device=query.device)
    keep = keep_best(scores, counts, target, backend=backend)
    want = by_parts(query, own, keys, values, keep, offsets, scale, **options)
    for ranked in (
        Ranked(counts, offsets, rows, centroids=centroids, reduce=reduce),
        Ranked(counts, offsets, rows, log_scores=scores, reduce=reduce),
    ):
        *got, kept = decode_best(query, own, keys, values, ranked, scale, **options)
        assert all(map(torch.equal, got, want))
        assert torch.equal(kept, (keep[:, :, 0] * counts).sum(-1, dtype=torch.float32))
    again = decode(query, own, keys, values, keep, offsets, scale, **options)
    assert all(map(torch.equal, again, want))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.usefixtures("numba_backend")
def test_single_keys_by_their_scores_on_each_number_of_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        query, own, keys, values, _, _ = problem("cpu", SHAPES["grouped"], torch.float32, 3)
        rows = keys.shape[1] - 11
        scores = random(1, len(keys), 1, rows, seed=4)
        ones = torch.ones(len(keys), rows, dtype=torch.int32)
        keep = keep_best(scores, ones, torch.tensor(40.0))
        ranked = Ranked(ones, None, 40.0, log_scores=scores)
        *got, kept = decode_best(query, own, keys, values, ranked, 0.1, backend="cpu")
        want = by_parts(query, own, keys, values, keep, None, 0.1, backend="cpu")
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, got, want))
    assert kept.tolist() == [[40.0] * len(keys)]


def test_groups_that_do_not_fit_are_refused():
    query, own, keys, values, _, offsets = problem("reference", SHAPES["grouped"], torch.float32, 2)
    counts = offsets.diff(dim=1).int()
    for ranked, message in (
        (Ranked(counts, offsets, 9.0), "neither centroids nor log scores"),
        (Ranked(counts[:2], offsets, 9.0, centroids=keys[:, :20]), "counts are"),
        (Ranked(counts, offsets[:, 1:], 9.0, centroids=keys[:, :20]), "offsets are"),
        (Ranked(counts, offsets, 9.0, centroids=keys[:, :19]), "centroids are"),
        (Ranked(counts, offsets, 9.0, log_scores=torch.zeros(1, 3, 1, 19)), "log scores are"),
        (Ranked(counts, offsets, 9.0, centroids=keys[:, :20], reduce="sum"), "reduce is 'sum'"),
    ):
        with pytest.raises(ValueError, match=message):
            decode_best(query, own, keys, values, ranked, 0.1)


def test_what_does_not_fit_is_refused():
    query, own, keys, values, keep, offsets = problem(
        "reference", SHAPES["grouped"], torch.float32, 2
    )
    for changes, message in (
        ({"query": query.expand(-1, -1, 2, -1)}, "expected .B, a multiple of 3, 1, 64."),
        ({"own": (own[0], own[1].half())}, "own values are torch.float16"),
        ({"own": (own[0][:, :2], own[1])}, "own keys are"),
        ({"values": values[..., :9]}, "values are"),
        ({"offsets": offsets[:, 1:]}, "offsets are"),
        ({"keep": keep[:, :2]}, "keep is"),
        ({"keep": keep.int()}, "keep is"),
        ({"softcap": -1.0}, "softcap is -1.0"),
    ):
        given = {
            "query": query, "own": own, "keys": keys, "values": values, "keep": keep,
            "offsets": offsets, "scale": 0.1, **changes,
        }  # fmt: skip
        with pytest.raises(ValueError, match=message):
            decode(**given)
