"""Triton's kernels run in its interpreter where there is no GPU; memory that nobody wrote shows."""

import numpy
import pytest
import torch
from squeezed_kernels import backends, memory


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
    monkeypatch.setattr(
        memory, "scratch", lambda shape: numpy.full(shape, numpy.nan, numpy.float32)
    )


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
