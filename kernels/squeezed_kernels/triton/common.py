"""What the Triton kernels share: products, the logit cap, a search, and which tokens a source has."""

import triton
import triton.language as tl

LANES = tl.constexpr(128)  # entries that one step of a search looks at
LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)


@triton.jit
def product(a, b, PRECISION: tl.constexpr):
    """``a @ b`` in float32.

    ``widened`` is for the interpreter: it keeps bfloat16 as bare bits and would multiply those.
    """
    if PRECISION == "widened":
        return tl.dot(a.to(tl.float32), b.to(tl.float32), input_precision="ieee")
    return tl.dot(a, b, input_precision=PRECISION)


@triton.jit
def capped(logits, cap):
    """``cap * tanh(logits / cap)``, which cannot overflow."""
    return cap * (2 / (1 + tl.exp(-2 * logits / cap)) - 1)


@triton.jit
def last_not_above(table, count, x):
    """The last j < count with ``table[j] <= x``, where ``table`` does not fall and ``table[0] <= x``."""
    low = 0
    span = count
    lanes = tl.arange(0, LANES)
    while span > 1:
        step = (span + LANES - 1) // LANES
        inside = lanes * step < span
        values = tl.load(table + low + lanes * step, mask=inside, other=0)
        hit = tl.sum((inside & (values <= x)).to(tl.int32), axis=0) - 1
        low += hit * step
        span = tl.minimum(step, span - hit * step)
    return low


@triton.jit
def block_tokens(source, k, blocks, block, sub, length):
    """Query tokens ``low`` to ``high`` of the k-th ``sub`` of a source's block; none past its end."""
    t = source % blocks
    end = tl.minimum(length, (t + 1) * block)
    low = tl.minimum(end, t * block + k * sub)
    return low, tl.minimum(end, low + sub)
