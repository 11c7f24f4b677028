"""Triton's kernels run in its interpreter where there is no GPU; memory that nobody wrote shows."""

import ctypes

import pytest
import torch
from squeezed_kernels import backends

M_PERTURB = -6  # of mallopt, in glibc: fills what is allocated with the complement of a byte


@pytest.fixture(autouse=True)
def poisoned_memory(monkeypatch):
    """Memory starts as NaN, or the lowest integer, or true: an output that is not written is noticed."""

    def poison(tensor):
        if tensor.dtype.is_floating_point:
            return tensor.fill_(float("nan"))
        if tensor.dtype == torch.bool:
            return tensor.fill_(True)
        return tensor.fill_(torch.iinfo(tensor.dtype).min)

    for name in ("empty", "empty_like"):
        plain = getattr(torch, name)
        monkeypatch.setattr(torch, name, lambda *a, _plain=plain, **k: poison(_plain(*a, **k)))
    # Compiled loops allocate by themselves: there, floats of -1.7e38.
    perturb = getattr(ctypes.CDLL(None), "mallopt", lambda option, byte: None)
    perturb(M_PERTURB, 1)
    yield
    perturb(M_PERTURB, 0)


@pytest.fixture(autouse=True)
def only_backends_that_can_run(request):
    """A machine without numba, or without Triton, skips their tests."""
    given = getattr(request.node, "callspec", None)
    asked = given.params.get("backend") if given else None
    if asked is not None and asked not in backends():
        pytest.skip(f"backend {asked} cannot run here")


@pytest.fixture
def numba_backend():
    """For tests of the cpu backend alone."""
    if "cpu" not in backends():
        pytest.skip("numba is not installed")
