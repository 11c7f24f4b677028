"""Sparse attention of every backend against float64."""

import math

import numpy as np
import pytest
import torch
from squeezed_kernels import attend, attend_groups, children, merge

from tests.kernels import exact
from tests.kernels.exact import CASES, TOLERANCE, device_of, random, relative_error

BACKENDS = ["reference", "cpu", "triton"]
FAST = ["cpu", "triton"]


def check(got, want, dtype=torch.float32):
    for ours, theirs in zip(got, want, strict=True):
        assert relative_error(ours, theirs) < TOLERANCE[dtype]


def run(backend, query, keys, values, keep, offsets, scale, block=None, softcap=None):
    """Our result, and the float64 one."""
    got = attend_groups(
        query, keys, values, keep, offsets, scale, block=block, softcap=softcap, backend=backend
    )
    rows_of = exact.kept_rows(keep, offsets, keys.shape[1], block or query.shape[2])
    return got, exact.attend(query, keys, values, rows_of, scale, softcap)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_kept_groups_and_window(backend, case):
    inputs = case.inputs(backend, torch.float32)
    check(*run(backend, *inputs, case.size**-0.5, case.block))


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["decode, 4 heads share", "prefill"])
def test_sixteen_bit_storage(backend, dtype, name):
    case = CASES[name]
    check(*run(backend, *case.inputs(backend, dtype), case.size**-0.5, case.block), dtype)


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("size", [32, 96, 128, 256])
def test_head_sizes(backend, size):
    case = exact.Case(1, 2, 2, 1, 1, size, 70, 8, 3)
    check(*run(backend, *case.inputs(backend, torch.float32), size**-0.5))


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize(("length", "block", "size"), [(1, 1, 40), (5, 2, 32), (1, 1, 128)])
def test_a_batch_that_keeps_the_same_rows(backend, length, block, size):
    """Full attention, say: the keys need be read once for all."""
    case = exact.Case(5, 2, 3, length, block, size, 83, 9, 5)
    query, keys, values, keep, offsets = case.inputs(backend, torch.float32)
    keep = keep[:1].expand_as(keep)
    check(*run(backend, query, keys, values, keep, offsets, size**-0.5, block, softcap=20.0))


@pytest.mark.parametrize("backend", FAST)
def test_one_head_selects_nothing_and_one_everything(backend):
    query, keys, values, keep, offsets = exact.Case(2, 3, 2, 2, 1, 16, 120, 10, 0).inputs(
        backend, torch.float32
    )
    keep[0, 0], keep[0, 1], keep[1, 2] = False, True, False
    (out, lse), want = run(backend, query, keys, values, keep, offsets, 0.25, block=1)
    check((out, lse), want)
    assert torch.equal(out[0, :2], torch.zeros_like(out[0, :2]))
    assert bool((lse[0, :2] == -math.inf).all())


@pytest.mark.parametrize("backend", FAST)
def test_nothing_selected_anywhere(backend):
    query, keys, values, keep, offsets = CASES["odd: 9 x 7 x 41"].inputs(backend, torch.float32)
    (out, lse), _ = run(backend, query, keys, values, torch.zeros_like(keep), offsets, 1.0, 4)
    assert torch.equal(out, torch.zeros_like(out))
    assert bool((lse == -math.inf).all())


@pytest.mark.parametrize("backend", FAST)
def test_huge_group_beside_empty_ones(backend):
    where = device_of(backend)
    query, keys, values = (
        random(1, 2, 1, 32),
        random(2, 301, 32, seed=1),
        random(2, 301, 32, seed=2),
    )
    offsets = torch.tensor([[0, 0, 0, 290, 290, 291, 291, 300], [0, 1, 1, 1, 2, 299, 299, 300]])
    keep = torch.ones(1, 2, 1, 7, dtype=torch.bool)
    keep[0, 0, 0, 4] = keep[0, 1, 0, 0] = False
    inputs = [x.to(where) for x in (query, keys, values, keep, offsets.int())]
    check(*run(backend, *inputs, 0.2))


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("softcap", [None, 20.0])
def test_logits_of_150(backend, softcap):
    query, keys, values, keep, offsets = exact.SMALL.inputs(backend, torch.float32)
    scale = 150 / float(query.norm(dim=-1).max() * keys.norm(dim=-1).max())
    keys[:, ::5] = query[0, 0, 0]  # some of them reach it
    check(*run(backend, query, keys, values, keep, offsets, 2 * scale, 4, softcap))


@pytest.mark.parametrize("backend", FAST)
def test_rows_as_their_own_groups(backend):
    query, keys, values, _, _ = CASES["decode, 4 heads share"].inputs(backend, torch.float32)
    keep = (random(2, 2, 1, 80, seed=5) > 1).to(query.device)
    check(*run(backend, query, keys, values, keep, None, 0.2))


@pytest.mark.parametrize("backend", FAST)
def test_rows_that_are_not_kept_are_not_used(backend):
    query, keys, values, keep, offsets = CASES["decode"].inputs(backend, torch.float32)
    whole = attend_groups(query, keys, values, keep, offsets, 0.2, backend=backend)
    dropped = ~children(keep, offsets, backend="reference")[0, :, 0]
    for table in (keys, values):
        table[:, : dropped.shape[1]][dropped] = math.nan
    again = attend_groups(query, keys, values, keep, offsets, 0.2, backend=backend)
    for a, b in zip(whole, again, strict=True):
        assert torch.equal(a, b)


@pytest.mark.usefixtures("numba_backend")
@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_share_the_rows_of_unequal_heads(monkeypatch, threads):
    monkeypatch.setattr("squeezed_kernels.cpu.team.WORTH_A_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    query, keys, values, keep, offsets = exact.Case(1, 4, 2, 3, 2, 16, 260, 9, 2).inputs(
        "cpu", torch.float32
    )
    keep[:, 0], keep[:, 1] = True, False
    check(*run("cpu", query, keys, values, keep, offsets, 0.25, block=2))


@pytest.mark.parametrize("programs", [1, 2, 33])
def test_programs_share_the_rows_of_unequal_heads(monkeypatch, programs):
    if torch.cuda.is_available():
        monkeypatch.setattr("squeezed_kernels.triton.ops._programs", lambda device: programs)
    else:
        monkeypatch.setattr("squeezed_kernels.triton.ops.INTERPRETED_PROGRAMS", programs)
    query, keys, values, keep, offsets = exact.Case(1, 3, 1, 1, 1, 16, 150, 9, 0).inputs(
        "triton", torch.float32
    )
    keep[:, 0], keep[:, 1] = True, False
    check(*run("triton", query, keys, values, keep, offsets, 0.25))


@pytest.mark.parametrize("backend", FAST)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_attend_all_rows_or_one_mask(backend, shared, masked):
    where = device_of(backend)
    query = random(2, 4, 3, 16).to(where)
    keys, values = (random(1 if shared else 2, 2, 45, 16, seed=s).to(where) for s in (1, 2))
    mask = (random(2, 2, 1, 45, seed=3) > 0).to(where) if masked else None
    out, lse = attend(query, keys, values, mask, 0.25, backend=backend)
    for b in range(2):
        rows = (lambda _, h, t, b=b: np.flatnonzero(mask[b, h, 0].cpu())) if masked else (
            lambda *_: range(45)
        )  # fmt: skip
        mine = 0 if shared else b
        want = exact.attend(query[b : b + 1], keys[mine], values[mine], rows, 0.25)
        check((out[b : b + 1], lse[b : b + 1]), want)


@pytest.mark.parametrize("backend", BACKENDS)
def test_merge_of_two_parts_is_attention_over_the_union(backend):
    query, keys, values, keep, offsets = exact.SMALL.inputs(backend, torch.float32)
    keep[0, 0] = False
    first = attend_groups(query, keys, values, keep, offsets, 0.2, block=4, backend=backend)
    rest = attend_groups(
        query, keys[:, :-3].contiguous(), values[:, :-3].contiguous(), ~keep, offsets, 0.2, block=4,
        backend=backend,
    )  # fmt: skip
    want = exact.attend(query, keys, values, lambda *_: range(45), 0.2)
    check(merge(first, rest, backend=backend), want)
    nothing = (torch.zeros_like(first[0]), torch.full_like(first[1], -math.inf))
    same = merge(first, nothing, backend=backend)
    for a, b in zip(same, first, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("backend", BACKENDS)
def test_merge_of_parts_of_two_types(backend):
    """A model of bfloat16 may attend to its own tokens in its own type."""
    first, second = ((random(1, 4, 2, 8, seed=i), random(1, 4, 2, seed=i + 5)) for i in (1, 2))
    where = device_of(backend)
    first, second = ((out.to(where), lse.to(where)) for out, lse in (first, second))
    narrow = (second[0].bfloat16(), second[1])
    want = merge(first, (narrow[0].float(), narrow[1]), backend="reference")
    for got, expected in zip(merge(first, narrow, backend=backend), want, strict=True):
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_children_are_the_rows_inside(backend):
    _, _, _, keep, offsets = CASES["blocks"].inputs(backend, torch.float32)
    rows = children(keep, offsets, backend=backend)
    rows_of = exact.kept_rows(keep, offsets, int(offsets[0, -1]), 1)
    for b, h, t in np.ndindex(*keep.shape[:3]):
        assert rows[b, h, t].nonzero().flatten().tolist() == list(rows_of(b, h, t))
    assert torch.equal(rows, children(keep, offsets, total=94, backend=backend))
