"""Small matrix products whose sums stay in the processor's registers.

LLVM's own vectors of a loop over a row load and store the row's sums at every step, which takes longer than
the arithmetic. Here four rows of sixteen sums are held while the inner dimension passes by (measured at 63 x
64 x 64: 7.0 in place of 12.6 us).
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from squeezed_kernels.cpu.jit import inner

LANES = 16  # sums of a row that are held: 2 registers of AVX2, 1 of AVX-512, 4 of NEON
ROWS = 4


def _held(rows: int) -> Any:
    """An intrinsic: ``c[i, lane] (+)= sum over k of a[i, k] b[k, lane]``, ``rows`` rows of ``LANES``.

    It takes addresses, the distances in bytes between rows (of ``a`` also between columns), the length of k,
    and whether to add to ``c``.
    """

    @intrinsic
    def product(
        typingctx: Any,
        a: Any,
        a_step: Any,
        a_next: Any,
        b: Any,
        b_step: Any,
        c: Any,
        c_step: Any,
        inner: Any,
        adds: Any,
    ) -> Any:
        number, real = ir.IntType(64), ir.FloatType()
        vector = ir.VectorType(real, LANES)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, a_step, a_next, b, b_step, c, c_step, inner, adds = arguments
            name = f"llvm.fmuladd.v{LANES}f32"
            kind = ir.FunctionType(vector, [vector] * 3)
            module = builder.module
            multiply = module.globals.get(name) or ir.Function(module, kind, name)
            zero = ir.Constant(vector, [0.0] * LANES)

            def at(base: Any, kind: Any) -> Any:
                return builder.inttoptr(base, kind.as_pointer())

            def row(base: Any, step: Any, i: int) -> Any:
                return builder.add(base, builder.mul(step, number(i)))

            begin = builder.function.append_basic_block("held.begin")
            load = builder.function.append_basic_block("held.load")
            loop = builder.function.append_basic_block("held.loop")
            done = builder.function.append_basic_block("held.done")
            builder.branch(begin)
            builder.position_at_end(begin)
            addresses = [row(c, c_step, i) for i in range(rows)]
            adding = builder.icmp_signed("!=", adds, number(0))
            builder.cbranch(adding, load, loop)
            builder.position_at_end(load)
            before = [builder.load(at(each, vector), align=4) for each in addresses]
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(number)
            k.add_incoming(number(0), begin)
            k.add_incoming(number(0), load)
            held = [builder.phi(vector) for _ in range(rows)]
            for each, earlier in zip(held, before, strict=True):
                each.add_incoming(zero, begin)
                each.add_incoming(earlier, load)
            of_b = builder.load(at(builder.add(b, builder.mul(k, b_step)), vector), align=4)
            across = builder.mul(k, a_next)
            following = []
            for i in range(rows):
                x = builder.load(at(builder.add(row(a, a_step, i), across), real), align=4)
                undefined = ir.Constant(vector, ir.Undefined)
                first = builder.insert_element(undefined, x, ir.IntType(32)(0))
                places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
                spread = builder.shuffle_vector(first, undefined, places)
                following.append(builder.call(multiply, [spread, of_b, held[i]]))
            next_k = builder.add(k, number(1))
            k.add_incoming(next_k, loop)
            for each, later in zip(held, following, strict=True):
                each.add_incoming(later, loop)
            builder.cbranch(builder.icmp_signed("<", next_k, inner), loop, done)
            builder.position_at_end(done)
            for address, later in zip(addresses, following, strict=True):
                builder.store(later, at(address, vector), align=4)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), generate

    return product


_four, _one = _held(ROWS), _held(1)


@inner
def _multiply(a, a_step, a_next, b, depth, c, adds):
    rows, columns = c.shape
    whole = rows - rows % ROWS
    at_b, at_c, b_step, c_step = b.ctypes.data, c.ctypes.data, b.strides[0], c.strides[0]
    for low in range(0, 4 * columns, 4 * LANES):
        for i in range(0, whole, ROWS):
            here, there = a + i * a_step, at_c + i * c_step + low
            _four(here, a_step, a_next, at_b + low, b_step, there, c_step, depth, adds)
        for i in range(whole, rows):
            here, there = a + i * a_step, at_c + i * c_step + low
            _one(here, a_step, a_next, at_b + low, b_step, there, c_step, depth, adds)


@inner
def multiply(a, b, c):
    """``c = a @ b``: contiguous float32 ``[M, K]``, ``[K, N]``, ``[M, N]``; N is a multiple of ``LANES``."""
    _multiply(a.ctypes.data, a.strides[0], 4, b, a.shape[1], c, 0)


@inner
def add_product(turned, b, c):
    """``c += turned.T @ b``: contiguous float32 ``[K, M or more]``, ``[K, N]``, ``[M, N]``."""
    _multiply(turned.ctypes.data, 4, turned.strides[0], b, turned.shape[0], c, 1)
