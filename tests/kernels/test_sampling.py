"""Rows that queries weigh for themselves, and samples of rows, against float64."""

import numpy as np
import pytest
import torch
from squeezed_kernels import attend_weighted, backends, sample_moments

from tests.kernels import exact
from tests.kernels.exact import TOLERANCE, random, relative_error

BACKENDS = [name for name in backends() if name != "triton"]
# Batch, KV heads, query heads of each, query tokens, rows, window, head size.
SIZES = {
    "one": (1, 1, 1, 1, 1, 0, 8),
    "only a window": (2, 2, 1, 2, 0, 5, 16),
    "a token": (3, 3, 3, 1, 131, 10, 64),
    "a question": (2, 2, 4, 7, 200, 33, 48),
    "odd": (1, 5, 1, 3, 65, 1, 33),
}


def inputs(name, dtype=torch.float32, seed=0):
    batch, heads, group, length, rows, window, size = SIZES[name]
    query = random(batch, heads * group, length, size, seed=seed, dtype=dtype)
    keys, values = (random(heads, rows + window, size, seed=seed + k, dtype=dtype) for k in (1, 2))
    return query, keys, values, (batch, heads, group, length, rows)


def draw(shape, seed):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def weights_of(shape, seed=3):
    """Log weights ``[B, Hq, L, M]``, most of them ``-inf``; the first query has none."""
    batch, heads, group, length, rows = shape
    found = random(batch, heads * group, length, rows, seed=seed)
    found[draw(found.shape, seed) > 0.2] = -torch.inf
    found[0, 0, 0] = -torch.inf
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize("name", SIZES)
def test_rows_count_by_their_weights(backend, name, dtype, softcap):
    query, keys, values, shape = inputs(name, dtype)
    weights = weights_of(shape)
    got = attend_weighted(query, keys, values, weights, 0.3, softcap=softcap, backend=backend)
    rows, group = shape[-1], shape[2]
    q, k, v, w = (each.double().numpy() for each in (query, keys, values, weights))
    out, lse = np.zeros(q.shape), np.full(q.shape[:3], -np.inf)
    for b, head, token in np.ndindex(*q.shape[:3]):
        logits = 0.3 * k[head // group] @ q[b, head, token]
        logits = logits if softcap is None else softcap * np.tanh(logits / softcap)
        logits[:rows] += w[b, head, token]
        if len(logits) and logits.max() > -np.inf:
            lse[b, head, token] = np.logaddexp.reduce(logits)
            out[b, head, token] = np.exp(logits - lse[b, head, token]) @ v[head // group]
    assert got[0].dtype == got[1].dtype == torch.float32
    assert relative_error(got[0], out) < TOLERANCE[dtype]
    assert relative_error(got[1], lse) < TOLERANCE[dtype]


def marks_of(shape, seed=5):
    """Rows that are read for themselves, and a sample, ``[B, H, L, M]``; the first query samples none."""
    batch, heads, _, length, rows = shape
    chance = draw((batch, heads, length, rows), seed)
    whole, sample = chance < 0.1, chance > 0.8
    sample[0, 0, 0] = False
    return whole, sample


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("softcap", [None, 2.0])
@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize("name", SIZES)
def test_a_sample_speaks_for_the_rest(backend, name, dtype, softcap):
    query, keys, _, shape = inputs(name, dtype, seed=20)
    whole, sample = marks_of(shape)
    got = sample_moments(query, keys, whole, sample, 0.3, softcap=softcap, backend=backend)
    rows, group = shape[-1], shape[2]
    q, k = query.double().numpy(), keys.double().numpy()
    want = np.zeros((*q.shape[:3], 3))
    for b, head, token in np.ndindex(*q.shape[:3]):
        logits = 0.3 * k[head // group] @ q[b, head, token]
        logits = logits if softcap is None else softcap * np.tanh(logits / softcap)
        place = b, head // group, token
        drawn = np.flatnonzero(sample[place])
        own = np.concatenate([np.flatnonzero(whole[place]), np.arange(rows, len(logits))])
        if len(drawn) + len(own) == 0:
            continue
        top = logits[np.concatenate([drawn, own])].max()
        powers = np.exp(logits - top)
        squares = ((powers[drawn] - powers[drawn].mean()) ** 2).sum() if len(drawn) else 0.0
        want[b, head, token] = powers[own].sum(), powers[drawn].sum(), squares
    assert got.shape == want.shape
    assert relative_error(got, want) < 10 * TOLERANCE[dtype]


def test_float64_is_kept():
    query, keys, values, shape = inputs("a question", torch.float64)
    assert attend_weighted(query, keys, values, weights_of(shape), 0.3)[0].dtype == torch.float64
    assert sample_moments(query, keys, *marks_of(shape), 0.3).dtype == torch.float64


def test_values_of_another_size():
    query, keys, values, shape = inputs("a question")
    weights = weights_of(shape)
    got, _ = attend_weighted(query, keys, values[..., :5].contiguous(), weights, 0.3)
    want, _ = attend_weighted(query, keys, values, weights, 0.3)
    torch.testing.assert_close(got, want[..., :5])


def test_a_weight_that_is_no_number_is_not_hidden():
    query, keys, values, shape = inputs("a token")
    weights = weights_of(shape)
    weights[1, 2, 0, 7] = torch.nan
    for backend in BACKENDS:
        out, lse = attend_weighted(query, keys, values, weights, 0.3, backend=backend)
        assert bool(out[1, 2, 0].isnan().all())
        assert bool(lse[1, 2, 0].isnan())
        assert not bool(out[1, 3, 0].isnan().any())


def test_what_does_not_fit_is_refused():
    query, keys, values, shape = inputs("a question")
    weights, (whole, sample) = weights_of(shape), marks_of(shape)
    wider = torch.nn.functional.pad(weights, (0, 99))
    for wrong, message in (
        ((query, keys[None], values, weights), "expected"),
        ((query, keys, values[:, 1:], weights), "values is"),
        ((query, keys, values, weights[:, 1:]), "log_weights is"),
        ((query, keys, values, weights.double()), "log_weights is torch.float64"),
        ((query, keys, values, wider), "has 299 rows; expected at most 233"),
    ):
        with pytest.raises(ValueError, match=message):
            attend_weighted(*wrong, 0.3)
    for wrong, message in (
        ((query, keys, whole[:, 1:], sample), "whole is"),
        ((query, keys, whole, sample.int()), "sample is torch.int32"),
        ((query, keys, whole, whole), "rows in common"),
    ):
        with pytest.raises(ValueError, match=message):
            sample_moments(*wrong, 0.3)
    with pytest.raises(ValueError, match="softcap"):
        attend_weighted(query, keys, values, weights, 0.3, softcap=0.0)


def test_it_is_the_attention_of_kept_rows_where_all_weigh_one():
    query, keys, values, shape = inputs("a question")
    weights = torch.zeros(weights_of(shape).shape)
    got = attend_weighted(query, keys, values, weights, 0.3)
    everything = list(range(keys.shape[1]))
    want = exact.attend(query, keys, values, lambda *_: everything, 0.3)
    for one, other in zip(got, want, strict=True):
        assert relative_error(one, other) < TOLERANCE[torch.float32]
