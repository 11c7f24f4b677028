"""Numbers: how they are stored, and exponentials and logarithms that become vectors."""

import platform
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic, overload

from squeezed_kernels.cpu.jit import inner

# Adding 1.5 * 2**23 leaves a float32's nearest integer in its low bits.
SHIFT = np.float32(12582912.0)
LOG2E = np.float32(1.44269504088896341)
LN2_HIGH = np.float32(0.693359375)  # ln 2 in two parts, the first exact in few bits
LN2_LOW = np.float32(-2.12194440e-4)
EXP_LOWEST = np.float32(-87.3)  # below, e**x is under the smallest normal number: zero
HALF_IN_HARDWARE = bool(binding.get_host_cpu_features().get("f16c")) or platform.machine() in (
    "aarch64",
    "arm64",
)
NEG_INF = np.float32(-np.inf)
ZERO, HALF = np.float32(0), np.float32(0.5)
SQRT2 = np.float32(2**0.5)


def widen(x: Any) -> Any:
    """A stored number as float32; only for compiled code."""
    raise NotImplementedError


@overload(widen)
def _widen(x):
    if x == types.float32:
        return lambda x: x
    if x == types.uint16:
        return lambda x: np.uint32(np.uint32(x) << 16).view(np.float32)
    if x == types.int16:
        return (lambda x: _half(x)) if HALF_IN_HARDWARE else _half_by_bits
    return None


@intrinsic
def _half(typingctx: Any, x: Any) -> Any:
    """A float16, given as an int16, as float32: one instruction for eight of them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.int16), generate


def _half_by_bits(x):
    """The same where the processor has no such instruction."""
    bits = np.uint32(np.uint16(x))
    # The exponent's bias is 15 in float16 and 127 in float32; the product repairs it, subnormals too.
    size = np.uint32((bits & 0x7FFF) << 13).view(np.float32) * np.float32(2.0**112)
    special = 0x7F800000 if (bits & 0x7C00) == 0x7C00 else 0
    sign = (bits & 0x8000) << 16
    return np.uint32(np.float32(size).view(np.uint32) | special | sign).view(np.float32)


@inner
def exp(x):
    """e**x of a float32 up to 88, within 2 units in the last place; unlike math.exp it becomes vectors."""
    shifted = np.float32(x * LOG2E + SHIFT)
    bits = np.float32(shifted).view(np.int32)
    n = shifted - SHIFT
    r = x - n * LN2_HIGH - n * LN2_LOW
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    p = p * r * r + r + np.float32(1)
    power = np.int32((bits + 127) << 23).view(np.float32)
    return ZERO if x < EXP_LOWEST else p * power


@inner
def log(x):
    """Natural logarithm of a normal positive float32, within 2 units in the last place; becomes vectors."""
    bits = np.float32(x).view(np.int32)
    n = np.int32((bits >> 23) - 127)
    m = np.int32((bits & 0x7FFFFF) | 0x3F800000).view(np.float32)  # x = m * 2**n
    above = m > SQRT2
    r = (m * HALF if above else m) - np.float32(1)
    power = np.float32(n + 1 if above else n)
    p = np.float32(7.0376836292e-2)
    p = p * r + np.float32(-1.1514610310e-1)
    p = p * r + np.float32(1.1676998740e-1)
    p = p * r + np.float32(-1.2420140846e-1)
    p = p * r + np.float32(1.4249322787e-1)
    p = p * r + np.float32(-1.6668057665e-1)
    p = p * r + np.float32(2.0000714765e-1)
    p = p * r + np.float32(-2.4999993993e-1)
    p = p * r + np.float32(3.3333331174e-1)
    p = p * r * r * r + power * LN2_LOW - HALF * r * r
    return r + p + power * LN2_HIGH
