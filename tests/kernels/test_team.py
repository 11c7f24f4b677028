"""The threads of the cpu backend."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch

numba = pytest.importorskip("numba")
from squeezed_kernels import attend_groups, attend_weighted, lookup, sample_moments  # noqa: E402
from squeezed_kernels.cpu import arrays, ops, team  # noqa: E402

from tests.kernels import exact  # noqa: E402

CASE = exact.Case(1, 4, 2, 3, 2, 16, 260, 9, 2)


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(team, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def results():
    query, keys, values, keep, offsets = CASE.inputs("cpu", torch.float32)
    counts = torch.ones(keys.shape[:2], dtype=torch.int32)
    scores = lookup(query, keys, counts, 0.2, backend="cpu")
    groups = attend_groups(query, keys, values, keep, offsets, 0.2, block=2, backend="cpu")
    return *groups, scores, *drawn()


def drawn():
    query, keys, values, _, _ = CASE.inputs("cpu", torch.float32)
    weights = exact.random(*query.shape[:3], keys.shape[1] - 9, seed=4)
    weights[weights > 0.5] = -torch.inf
    marks = weights[:, : len(keys)]
    moments = sample_moments(query, keys, marks < -1, marks > 0, 0.2, backend="cpu")
    return *attend_weighted(query, keys, values, weights, 0.2, backend="cpu"), moments


@pytest.mark.usefixtures("two_threads")
def test_plain_threads_where_torch_has_no_openmp(monkeypatch):
    want = results()
    monkeypatch.setattr(team, "_openmp", lambda: None)
    team._runner.cache_clear()
    try:
        for got, expected in zip(results(), want, strict=True):
            torch.testing.assert_close(got, expected, rtol=0, atol=0)
    finally:
        team._runner.cache_clear()


@pytest.mark.usefixtures("two_threads")
def test_a_part_that_was_not_done_is_an_error(monkeypatch):
    """A thread that runs out of memory stops; compiled code cannot pass its exception on."""

    @numba.cfunc("void(voidptr)")
    def does_nothing(data):
        pass

    for module in (ops, arrays):
        monkeypatch.setattr(module, "task_address", lambda task, dtype: does_nothing.address)
    with pytest.raises(MemoryError, match="found no memory"):
        results()
    with pytest.raises(MemoryError, match="found no memory"):
        drawn()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a fork")
def test_a_forked_process_has_threads_too():
    """Those of OpenMP do not survive a fork: whoever waited for them would wait for ever."""
    program = """
        import os, signal, torch
        torch.set_num_threads(2)
        from squeezed_kernels import attend
        from squeezed_kernels.cpu import team
        team.WORTH_A_THREAD = 1
        query, keys = torch.randn(1, 2, 1, 8), torch.randn(1, 2, 500, 8)
        want = attend(query, keys, keys, None, 1.0, backend="cpu")[0]
        child = os.fork()
        signal.alarm(60)
        got = attend(query, keys, keys, None, 1.0, backend="cpu")[0]
        same = torch.equal(got, want)
        if child == 0:
            os._exit(0 if same else 1)
        print(same, os.waitpid(child, 0)[1])
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.split() == ["True", "0"], done.stderr
