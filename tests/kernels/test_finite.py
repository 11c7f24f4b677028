"""One pass finds a number that is none, wherever it stands."""

import pytest
import torch
from squeezed_kernels import all_finite


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_none(dtype, bad):
    tensor = torch.randn(3, 7, 5).to(dtype)
    assert all_finite(tensor)
    assert all_finite(tensor.transpose(0, 2))
    tensor[1, 6, 2] = bad
    assert not all_finite(tensor)
    assert not all_finite(tensor.transpose(0, 2)[..., 1])


def test_the_largest_numbers_are_finite():
    most = torch.finfo(torch.float32).max
    assert all_finite(torch.tensor([most, -most, most]))


def test_of_eight_bits():
    tensor = torch.ones(5).to(torch.float8_e5m2)
    assert all_finite(tensor)
    tensor[3] = float("nan")
    assert not all_finite(tensor)


def test_integers_and_no_numbers_at_all():
    assert all_finite(torch.arange(3))
    assert all_finite(torch.empty(0, 4))
