"""What the entrance accepts, and which backend it picks."""

import pytest
import torch
from squeezed_kernels import (
    assign,
    attend,
    attend_groups,
    backend,
    backends,
    lookup,
    resolve_backend,
)

from tests.kernels.exact import random

QUERY, KEYS = random(1, 4, 3, 8), random(2, 10, 8, seed=1)
COUNTS = torch.ones(2, 10, dtype=torch.int32)
KEEP = torch.ones(1, 2, 1, 4, dtype=torch.bool)
OFFSETS = torch.tensor([[0, 2, 4, 6, 8]] * 2, dtype=torch.int32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": QUERY[0]}, r"query is \(4, 3, 8\); expected \[B, Hq, L, D\]"),
        ({"centroids": KEYS[..., :7]}, r"expected \[H, N, 8\]"),
        ({"query": QUERY[:, :3]}, "3 query heads cannot share 2 KV heads"),
        ({"counts": COUNTS[:, :9]}, r"counts is \(2, 9\); expected \(2, 10\)"),
        ({"block": 0}, "block is 0"),
        ({"reduce": "sum"}, "reduce is 'sum'; expected one of mean, max"),
        ({"softcap": -1.0}, "softcap is -1.0"),
        ({"valid": torch.ones(1, 2, dtype=torch.bool)}, r"valid is \(1, 2\); expected \(1, 3\)"),
        ({"valid": torch.ones(1, 3)}, "valid is torch.float32; expected torch.bool"),
        ({"candidates": KEEP}, r"candidates is \(1, 2, 1, 4\); expected \(1, 2, 1, 10\)"),
        ({"backend": "cuda"}, "backend is 'cuda'; expected auto or one of reference, cpu, triton"),
    ],
)
def test_lookup_refuses(change, message):
    good = {"query": QUERY, "centroids": KEYS, "counts": COUNTS, "scale": 1.0}
    with pytest.raises(ValueError, match=message):
        lookup(**(good | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": KEYS[:, :9]}, r"values is \(2, 9, 8\); expected \(2, 10, 8\)"),
        ({"values": KEYS.double()}, "values is torch.float64; expected torch.float32"),
        ({"keep": KEEP[0]}, "keep is"),
        ({"keep": KEEP.int()}, "keep is torch.int32; expected torch.bool"),
        ({"block": 2}, r"keep is \(1, 2, 1, 4\); expected \(1, 2, 2, 4\)"),
        ({"offsets": OFFSETS[:, :4]}, r"offsets is \(2, 4\); expected \(2, 5\)"),
        ({"keep": torch.ones(1, 2, 1, 11, dtype=torch.bool), "offsets": None}, "there are 10 keys"),
    ],
)
def test_attend_groups_refuses(change, message):
    good = {"query": QUERY, "keys": KEYS, "values": KEYS, "keep": KEEP, "offsets": OFFSETS}
    with pytest.raises(ValueError, match=message):
        attend_groups(**(good | {"scale": 1.0} | change))


def test_assign_refuses_no_centroid():
    with pytest.raises(ValueError, match="at least one centroid"):
        assign(KEYS, KEYS[:, :0])


def test_attend_refuses_a_float_mask():
    with pytest.raises(ValueError, match=r"expected torch\.bool"):
        attend(QUERY, KEYS[None], KEYS[None], torch.ones(1, 1, 1, 10), 1.0)


@pytest.mark.usefixtures("numba_backend")
def test_auto_is_the_compiled_backend_on_a_processor():
    assert resolve_backend("auto", torch.device("cpu")) == "cpu"
    assert set(backends()) >= {"reference", "cpu"}


@pytest.mark.usefixtures("numba_backend")
def test_auto_takes_the_reference_for_float64_and_a_named_backend_refuses():
    scores = lookup(QUERY.double(), KEYS.double(), COUNTS, 1.0)
    assert scores.dtype == torch.float64
    with pytest.raises(ValueError, match="it has no float64 arithmetic"):
        lookup(QUERY.double(), KEYS.double(), COUNTS, 1.0, backend="cpu")


def test_without_numba_auto_is_the_reference(monkeypatch):
    found = backend.importlib.util.find_spec
    monkeypatch.setattr(
        backend.importlib.util, "find_spec", lambda name: None if name == "numba" else found(name)
    )
    backend._obstacle.cache_clear()
    try:
        assert "cpu" not in backends()
        assert resolve_backend("auto", torch.device("cpu")) == "reference"
        with pytest.raises(ValueError, match="numba is not installed"):
            resolve_backend("cpu", torch.device("cpu"))
    finally:
        monkeypatch.undo()
        backend._obstacle.cache_clear()


def test_tensors_on_two_devices_are_refused():
    with pytest.raises(ValueError, match="are on meta"):
        lookup(QUERY, KEYS.to("meta"), COUNTS, 1.0)
