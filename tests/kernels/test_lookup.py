"""The centroid lookup of every backend against float64."""

import math

import pytest
import torch
from squeezed_kernels import lookup

from tests.kernels import exact
from tests.kernels.exact import CASES, TOLERANCE, device_of, random, relative_error

BACKENDS = ["reference", "cpu", "triton"]
FAST = ["cpu", "triton"]


def inputs(backend, case, dtype=torch.float32):
    """query, centroids, counts; one cluster in four is empty."""
    where = device_of(backend)
    query = random(case.batch, case.heads * case.share, case.length, case.size, dtype=dtype)
    centroids = random(case.heads, case.groups, case.size, seed=1, dtype=dtype)
    counts = random(case.heads, case.groups, seed=2).mul(20).abs().int() * (
        torch.arange(case.groups) % 4 > 0
    )
    return query.to(where), centroids.to(where), counts.int().to(where)


def compare(backend, query, centroids, counts, dtype=torch.float32, *, block, **options):
    got = lookup(query, centroids, counts, 0.3, block=block, backend=backend, **options)
    want = exact.lookup(query, centroids, counts, 0.3, block=block, **options)
    assert relative_error(got.exp(), _exp(want)) < TOLERANCE[dtype]
    assert relative_error(got, want) < TOLERANCE[dtype]
    return got


def _exp(log_scores):
    return torch.from_numpy(log_scores).exp().numpy()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_scores(backend, case, reduce):
    compare(backend, *inputs(backend, case), block=case.block, reduce=reduce)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["decode, 4 heads share", "blocks", "prefill"])
def test_candidates_padding_and_cap(backend, name):
    case = CASES[name]
    query, centroids, counts = inputs(backend, case)
    candidates = random(case.batch, case.heads, case.blocks, case.groups, seed=4) > 0
    candidates[0, 0, 0] = False
    valid = random(case.batch, case.length, seed=5) > -0.5
    valid[-1, -case.block :] = False
    scores = compare(
        backend, query, centroids, counts, block=case.block, softcap=4.0,
        candidates=candidates.to(query.device), valid=valid.to(query.device),
    )  # fmt: skip
    assert bool((scores[0, 0, 0] == -math.inf).all())  # no candidate
    if case.length == case.block:
        assert bool((scores[-1] == -math.inf).all())  # nothing but padding


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("length", [1, 70])
def test_candidates_on_both_paths(backend, length):
    """Few query rows and many take different ways through the kernels."""
    case = exact.Case(1, 1, 2, length, length, 16, 0, 41, 0)
    query, centroids, counts = inputs(backend, case)
    candidates = (random(1, 1, 1, 41, seed=4) > 0).to(query.device)
    valid = (random(1, length, seed=5) > -1).to(query.device)
    valid[0, 0] = True
    for reduce in ("mean", "max"):
        compare(
            backend, query, centroids, counts, block=length, reduce=reduce, candidates=candidates,
            valid=valid,
        )  # fmt: skip


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_storage(backend, dtype):
    case = CASES["decode, 4 heads share"]
    compare(backend, *inputs(backend, case, dtype), dtype, block=1)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("name", ["decode", "prefill"])
def test_other_clusters_are_not_read(backend, name):
    case = CASES[name]
    query, centroids, counts = inputs(backend, case)
    candidates = random(1, case.heads, 1, case.groups, seed=6) > 0
    whole = lookup(
        query, centroids, counts, 0.3, candidates=candidates.to(query.device), backend=backend
    )
    centroids[~candidates[0, :, 0].to(query.device)] = math.nan
    again = lookup(
        query, centroids, counts, 0.3, candidates=candidates.to(query.device), backend=backend
    )
    assert torch.equal(whole, again)


@pytest.mark.parametrize("backend", FAST)
def test_no_candidate_at_all(backend):
    query, centroids, counts = inputs(backend, CASES["blocks"])
    none = torch.zeros(2, 2, 3, 12, dtype=torch.bool, device=query.device)
    scores = lookup(query, centroids, counts, 0.3, block=4, candidates=none, backend=backend)
    assert bool((scores == -math.inf).all())


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("length", [1, 40])
def test_huge_logits_stay_finite(backend, length):
    query, centroids = 1e4 * random(1, 2, length, 8), random(1, 6, 8, seed=1)
    counts = torch.ones(1, 6, dtype=torch.int32)
    where = device_of(backend)
    scores = lookup(query.to(where), centroids.to(where), counts.to(where), 1.0, backend=backend)
    want = exact.lookup(query, centroids, counts, 1.0, block=length)
    assert bool(scores.isfinite().all())
    assert relative_error(scores, want) < 1e-3  # a float32 logit of 1e5 has an error of 0.01


@pytest.mark.usefixtures("numba_backend")
@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize("name", ["decode, 4 heads share", "prefill"])
def test_threads(monkeypatch, threads, name):
    monkeypatch.setattr("squeezed_kernels.cpu.team.WORTH_A_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    case = exact.Case(1, 2, 2, 3, 2, 16, 0, 200, 0) if name == "decode" else CASES[name]
    query, centroids, counts = inputs("cpu", case)
    candidates = random(case.batch, case.heads, case.blocks, case.groups, seed=4) > 0
    candidates[:, 0] = True
    compare("cpu", query, centroids, counts, block=case.block, candidates=candidates)


@pytest.mark.usefixtures("numba_backend")
@pytest.mark.parametrize("limit", [1, 60, 500])
def test_little_memory_gives_the_same(monkeypatch, limit):
    """Passes over tokens, and over blocks of them, when the logits do not fit."""
    monkeypatch.setattr("squeezed_kernels.cpu.ops.LOGITS", limit)
    case = CASES["blocks"]
    valid = random(case.batch, case.length, seed=5) > -0.5
    compare("cpu", *inputs("cpu", case), block=case.block, valid=valid, reduce="max")
    compare("cpu", *inputs("cpu", case), block=case.length, valid=valid)


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("length", [1, 7, 40])
def test_shares_below_what_float32_holds_keep_their_order(length, reduce):
    """Sharp attention: most clusters score e**-200 and less for every query, and still one is the best."""
    pytest.importorskip("numba")
    centroids = torch.zeros(2, 130, 16)
    centroids[:, :, 0] = -3.0 * torch.arange(130)
    query = torch.ones(2, 6, length, 16)
    counts = torch.ones(2, 130, dtype=torch.int32)
    counts[:, ::7] = 0
    got = lookup(query, centroids, counts, 1.0, reduce=reduce, backend="cpu")
    want = lookup(query.double(), centroids.double(), counts, 1.0, reduce=reduce)
    torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)
    assert got.isfinite().sum() == 2 * 2 * int((counts[0] > 0).sum())


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize(("batch", "share"), [(2, 3), (24, 3), (5, 64), (3, 1)])
def test_tokens_of_a_batch_score_as_each_alone(batch, share, reduce):
    """Those that have a token each are looked up together."""
    pytest.importorskip("numba")
    query, centroids = random(batch, 2 * share, 1, 24), random(2, 75, 24, seed=1)
    counts = random(2, 75, seed=2).mul(9).abs().int()
    valid = torch.ones(batch, 1, dtype=torch.bool)
    got = lookup(query, centroids, counts, 0.3, reduce=reduce, valid=valid, backend="cpu")
    for member in range(batch):
        alone = lookup(query[member, None], centroids, counts, 0.3, reduce=reduce, backend="cpu")
        torch.testing.assert_close(got[member], alone[0], rtol=2e-6, atol=2e-6)
