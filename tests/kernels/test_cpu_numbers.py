"""The compiled loops' own arithmetic."""

import numpy as np
import pytest
import torch

numba = pytest.importorskip("numba")
from squeezed_kernels.cpu import numbers  # noqa: E402

# What only loops call cannot be called from here.
exp = numba.njit(lambda x: numbers.exp(x))
log = numba.njit(lambda x: numbers.log(x))


def test_exp_over_its_whole_range():
    x = np.concatenate([np.linspace(-87, 88, 4001), [0.0, -0.0, 1e-8]]).astype(np.float32)
    got = np.array([exp(value) for value in x])
    np.testing.assert_allclose(got, np.exp(x.astype(np.float64)), rtol=3e-7)


def test_exp_of_what_is_not_a_normal_number():
    assert exp(np.float32(-np.inf)) == 0
    assert exp(np.float32(-1e30)) == 0
    assert np.isnan(exp(np.float32(np.nan)))


def test_log_over_its_whole_range():
    x = np.concatenate([np.geomspace(1.2e-38, 3e38, 4001), [1.0, 0.99999, 1.00001]])
    x = x.astype(np.float32)
    got = np.array([log(value) for value in x])
    np.testing.assert_allclose(got, np.log(x.astype(np.float64)), rtol=3e-7, atol=1e-9)


BITS = torch.arange(1 << 16, dtype=torch.int32).to(torch.uint16)


def test_every_sixteen_bit_number_is_widened_exactly():
    @numba.njit
    def widened(stored):
        out = np.empty(stored.shape, np.float32)
        for i in range(len(stored)):
            out[i] = numbers.widen(stored[i])
        return out

    for dtype, stored in ((torch.bfloat16, torch.uint16), (torch.float16, torch.int16)):
        want = BITS.view(dtype).float().numpy()
        np.testing.assert_array_equal(widened(BITS.view(stored).numpy()), want)


def test_float16_without_an_instruction_for_it():
    widened = numba.vectorize(["float32(int16)"])(numbers._half_by_bits)
    got = widened(BITS.view(torch.int16).numpy())
    np.testing.assert_array_equal(got, BITS.view(torch.float16).float().numpy())
