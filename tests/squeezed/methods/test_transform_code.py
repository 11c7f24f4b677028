"""Codes of few bits, spent where queries look: hand-worked levels, and errors against plain ones."""

import pytest
import torch

from squeezed.methods import transform_code
from squeezed.methods.transform_code import ERRORS, shared_bits


def generator(seed):
    return torch.Generator().manual_seed(seed)


def coded(values, queries, bits):
    """Values as their codes decode to."""
    return transform_code.coded(values, queries, bits).decoded()


def test_bits_go_where_they_lower_the_error_most():
    # The first bit of a component takes 0.6366 of its variance, the second 0.2446, the third 0.0814. So the
    # gains are 10.19, 3.91, 1.30 of the first and 0.64, 0.24 of the second.
    variance = torch.tensor([16.0, 1.0])
    wanted = {0: [0, 0], 1: [1, 0], 2: [2, 0], 3: [3, 0], 4: [3, 1], 5: [4, 1]}
    for bits, each in wanted.items():
        assert shared_bits(variance, bits).tolist() == each
    assert shared_bits(variance, 99).tolist() == [8, 8]


@pytest.mark.parametrize("bits", range(1, 9))
def test_the_table_is_the_error_of_a_normally_distributed_value(bits):
    values = torch.randn(200_000, 1, generator=generator(1))
    error = (coded(values, None, bits) - values).square().mean() / values.square().mean()
    assert error.item() == pytest.approx(ERRORS[bits], rel=0.05)


def test_one_bit_is_a_sign_and_two_are_four_levels():
    # Deviation 1, step 1.596: half of it on either side of zero.
    one = coded(torch.tensor([[-1.0], [1.0]]), None, 1).flatten()
    assert one.tolist() == pytest.approx([-0.798, 0.798], abs=1e-4)
    # Deviation 1.4213, step 1.4152: levels at half a step and at one and a half.
    two = coded(torch.tensor([[-2.0], [-0.2], [0.2], [2.0]]), None, 2).flatten()
    assert two.tolist() == pytest.approx([-2.1228, -0.7076, 0.7076, 2.1228], abs=1e-3)


def test_what_queries_do_not_look_at_gets_no_bit():
    # The second entry varies twice as much, and no query has it. Alike, it gets two of the three bits.
    values = torch.randn(500, 2, generator=generator(2)) * torch.tensor([1.0, 2.0])
    queries = torch.tensor([[1.0, 0.0], [-2.0, 0.0]])
    alike, aware = coded(values, None, 3), coded(values, queries, 3)

    def error(code):
        return ((code - values) @ queries.T).square().mean().item()

    assert error(aware) < 0.15 * error(alike)  # three bits for one: 0.0374 for 0.3634
    assert aware[:, 1].abs().max() < 0.1 * values[:, 1].abs().max()


def test_errors_of_logits_are_lower_than_with_plain_codes_of_twice_the_bits():
    mix = torch.randn(
        8, 32, generator=generator(3)
    )  # keys and queries of eight directions, as heads have
    values = torch.randn(400, 8, generator=generator(4)) @ mix
    queries = torch.randn(60, 8, generator=generator(5)) @ torch.randn(
        8, 32, generator=generator(6)
    )
    later = torch.randn(60, 8, generator=generator(7)) @ torch.randn(8, 32, generator=generator(6))
    step = 0.9957 * values.square().mean(0).sqrt()  # two bits an entry, a step a channel
    plain = ((values / step - 0.5).round() + 0.5).clamp(-1.5, 1.5) * step
    error = (coded(values, queries, 32) - values) @ later.T
    assert error.square().mean() < ((plain - values) @ later.T).square().mean() / 2


def test_values_without_variance_and_queries_of_nothing_are_no_trouble():
    assert coded(torch.zeros(5, 4), torch.zeros(3, 4), 4).tolist() == torch.zeros(5, 4).tolist()
    one = coded(torch.ones(1, 4), torch.ones(1, 4), 8)
    assert bool(one.isfinite().all())


@pytest.mark.parametrize(("bits", "size"), [(1, 1), (5, 1), (8, 1), (19, 3), (32, 4), (99, 4)])
def test_a_code_has_its_bits_and_no_more(bits, size):
    values = torch.randn(50, 4, generator=generator(8)) * torch.tensor([1.0, 2.0, 3.0, 0.1])
    code = transform_code.coded(values, None, bits)
    assert code.bytes.shape == (50, size)
    assert code.bytes.dtype == torch.uint8
    used = min(bits, 32)  # at most eight of each of four components
    assert [bool(each.any()) for each in code.map] == [place < used for place in range(8 * size)]
    if used % 8:
        assert int(code.bytes[:, -1].max()) < 2 ** (used % 8)
