"""Transform coding of keys for lookups: few bits, spent where queries look.

A lookup wants the products q.k, not the keys. A code with error e makes an error of ``E[(q.e)^2] = e.S e``
in the logits, with S the second moment of the queries. In the basis of ``S^(1/2)`` that is a plain square, so
the classic recipe is right there: rotate to uncorrelated components (Karhunen-Loeve), give each component
bits by its variance, quantise it alone (Goyal, Theoretical Foundations of Transform Coding, 2001, sections II
and III). Components that queries do not look at, or in which keys do not differ, get no bit at all.

The queries are those of the observation window, which the index keeps.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional

# For a normally distributed value of variance 1 and 2 ** b equal steps: the best step, and the squared error
# (J. Max, Quantizing for minimum distortion, 1960, table II).
STEPS = (0.0, 1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308)
ERRORS = (1.0, 0.3634, 0.1188, 0.03744, 0.01154, 0.003495, 0.001041, 0.0003035, 0.0000869)
MOST = len(STEPS) - 1
RIDGE = 0.01  # of the mean variance: a window has few queries, and later ones look elsewhere, too


@dataclass(frozen=True)
class Code:
    """Values of one head as bits. Steps are equal, so a bit adds the same to every value that it is set in.

    Attributes:
        bytes: of each value, uint8 ``[M, P]``, the first bit in the lowest place; spare bits are 0.
        map: what a bit that is set adds to a value, float32 ``[8 * P, D]``.
        start: the value of no bit, float32 ``[D]``.
    """

    bytes: torch.Tensor
    map: torch.Tensor
    start: torch.Tensor

    def decoded(self) -> torch.Tensor:
        """The values that the bits stand for, float32 ``[M, D]``."""
        places = torch.arange(8, dtype=torch.uint8, device=self.bytes.device)
        bits = ((self.bytes[..., None] >> places) & 1).flatten(1)
        return self.start + bits.float() @ self.map


def coded(values: torch.Tensor, queries: torch.Tensor | None, bits: int) -> Code:
    """The code of values of one head.

    Args:
        values: ``[M, D]``, about zero. queries: ``[W, D]`` whose products with the values count; ``None``:
            all directions count alike. bits: of a whole code, shared among its components.
    """
    values = values.float()
    to_basis, back = _weighted(values.shape[1], queries, values)
    turned = values @ to_basis
    variance, rotation = torch.linalg.eigh(turned.T @ turned / len(turned))
    return _quantised(turned @ rotation, shared_bits(variance, bits), rotation.T @ back)


def shared_bits(variance: torch.Tensor, bits: int) -> torch.Tensor:
    """Bits of each component, int64 ``[D]``; together ``bits``, or the most that all components can have.

    One bit after the other goes where it lowers the summed error most, which is the optimum because each
    further bit of a component lowers its error by less.
    """
    errors = torch.tensor(ERRORS, dtype=torch.float64, device=variance.device)
    gains = errors[:-1] - errors[1:]
    gain = variance.double().clamp(min=0)[:, None] * gains  # [D, MOST]
    taken = torch.zeros(gain.numel(), dtype=torch.int64, device=variance.device)
    taken[gain.flatten().argsort(descending=True, stable=True)[:bits]] = 1
    return taken.view_as(gain).sum(1)


def _weighted(
    size: int, queries: torch.Tensor | None, like: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """``S^(1/2)`` and its inverse, both float32 ``[D, D]``; without queries the identity."""
    identity = torch.eye(size, device=like.device)
    if queries is None:
        return identity, identity
    looked = queries.float()
    moment = looked.T @ looked / len(looked)
    moment = moment + RIDGE * moment.diagonal().mean().clamp(min=1e-20) * identity
    strength, axes = torch.linalg.eigh(moment)
    strength = strength.clamp(min=torch.finfo(torch.float32).tiny)
    return axes * strength.sqrt() @ axes.T, axes * strength.rsqrt() @ axes.T


def _quantised(components: torch.Tensor, bits: torch.Tensor, back: torch.Tensor) -> Code:
    """The code of components ``[M, D]`` about zero, with so many bits each; no bit: zero.

    A component is a whole number of steps above its lowest level, written in binary.

    Args:
        back: the values that the components stand for, ``[D, D]``.
    """
    deviation = components.square().mean(0).sqrt()
    steps = torch.tensor(STEPS, device=components.device)[bits] * deviation
    outermost = (2.0**bits - 1) / 2
    level = components / steps.clamp(min=torch.finfo(torch.float32).tiny)
    number = (level + outermost).round().clamp(min=0).minimum(2 * outermost).int()
    owner = torch.arange(len(bits), device=bits.device).repeat_interleave(bits)
    place = torch.cat([torch.arange(int(each), device=bits.device) for each in bits])
    spare = -len(owner) % 8
    found = functional.pad((number[:, owner] >> place) & 1, (0, spare)).view(len(number), -1, 8)
    powers = 2 ** torch.arange(8, device=bits.device)
    adds = (steps[owner] * 2.0**place)[:, None] * back[owner]
    return Code(
        (found * powers).sum(-1).to(torch.uint8),
        functional.pad(adds, (0, 0, 0, spare)),
        -(outermost * steps) @ back,
    )
