"""Several queries at once on the same codes: each has a lane of every vector.

A table of sums for each byte of a code then has a vector in place of a number, so a byte of a code and an
address serve all lanes, and a key is one load and one addition a byte for all of them. Each lane adds up in
the order of ``codes.fill_logits``, so its numbers are the same.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from squeezed_kernels.cpu.jit import inner

BYTE = 256
MANY, FEW = 16, 4  # lanes for a user input's queries, and for the heads of a token
TOGETHER = 64  # keys whose sums are held before they are turned into rows of logits


def _sum_keys(lanes: int) -> Any:
    """``out = base + the sum over the bytes of a code of its vector of the table`` for keys of one group.

    All by addresses: ``out [count, lanes]``, ``base [lanes]``, ``codes [count, size]``, and ``most [lanes]``,
    which becomes the highest sum of each lane.
    """

    @intrinsic
    def sum_keys(
        typingctx: Any,
        out: Any,
        base: Any,
        table: Any,
        codes: Any,
        size: Any,
        count: Any,
        most: Any,
    ) -> tuple[Any, Any]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            out, base, table, codes, size, count, most = arguments
            number, byte = ir.IntType(64), ir.IntType(8)
            vector = ir.VectorType(ir.FloatType(), lanes)

            def load(address: Any) -> Any:
                value = builder.load(builder.inttoptr(address, vector.as_pointer()))
                value.align = 4
                return value

            def entry(own: Any, k: Any) -> Any:
                code = builder.load(builder.inttoptr(builder.add(own, k), byte.as_pointer()))
                place = builder.add(builder.mul(k, number(BYTE)), builder.zext(code, number))
                return load(builder.add(table, builder.mul(place, number(4 * lanes))))

            def add(value: Any) -> None:
                builder.store(builder.fadd(builder.load(total), value), total)

            total, highest = (cgutils.alloca_once(builder, vector) for _ in range(2))
            builder.store(load(most), highest)
            start = load(base)
            groups = builder.sdiv(size, number(4))
            whole = builder.mul(groups, number(4))
            with cgutils.for_range(builder, count) as keys:
                own = builder.add(codes, builder.mul(keys.index, size))
                builder.store(start, total)
                with cgutils.for_range(builder, groups) as loop:
                    first = builder.mul(loop.index, number(4))
                    a, b, c, d = (entry(own, builder.add(first, number(k))) for k in range(4))
                    add(builder.fadd(builder.fadd(a, b), builder.fadd(c, d)))
                with cgutils.for_range(builder, builder.sub(size, whole)) as loop:
                    add(entry(own, builder.add(whole, loop.index)))
                place = builder.add(out, builder.mul(keys.index, number(4 * lanes)))
                found = builder.load(total)
                stored = builder.store(found, builder.inttoptr(place, vector.as_pointer()))
                stored.align = 4
                before = builder.load(highest)
                higher = builder.fcmp_ordered(">", found, before)
                builder.store(builder.select(higher, found, before), highest)
            stored = builder.store(
                builder.load(highest), builder.inttoptr(most, vector.as_pointer())
            )
            stored.align = 4
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), generate

    return sum_keys


def _turn(lanes: int) -> Any:
    """A square of numbers ``[lanes, lanes]``, turned: a column becomes part of a row, ``step`` bytes on."""

    @intrinsic
    def turn(typingctx: Any, square: Any, out: Any, step: Any) -> tuple[Any, Any]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            number = ir.IntType(64)
            pointer = ir.VectorType(ir.FloatType(), lanes).as_pointer()

            def at(base: Any, distance: Any) -> Any:
                return builder.inttoptr(builder.add(base, distance), pointer)

            rows = []
            for i in range(lanes):
                rows.append(builder.load(at(arguments[0], number(4 * lanes * i))))
                rows[-1].align = 4
            # A step for each bit of a place: what differs in it between row and column changes sides.
            half = 1
            while half < lanes:
                lower = [k if not k & half else lanes + k - half for k in range(lanes)]
                upper = [k + half if not k & half else lanes + k for k in range(lanes)]
                for i in (i for i in range(lanes) if not i & half):
                    pair = rows[i], rows[i + half]
                    rows[i], rows[i + half] = (
                        builder.shuffle_vector(*pair, ir.VectorType(ir.IntType(32), lanes)(mask))
                        for mask in (lower, upper)
                    )
                half *= 2
            for q, row in enumerate(rows):
                place = builder.mul(arguments[2], number(q))
                builder.store(row, at(arguments[1], place)).align = 4
            return context.get_dummy_value()

        return types.void(*[types.int64] * 3), generate

    return turn


turn_many, turn_few = _turn(MANY), _turn(FEW)
sum_many, sum_few = _sum_keys(MANY), _sum_keys(FEW)


@inner
def lanes_for(queries):
    """Lanes for so many queries; 1: each for itself."""
    if queries > FEW:
        return MANY
    return FEW if queries > 1 else 1


@inner
def fill_table(weights, table, lanes, lane):
    """For each byte and each of its values the sum of the weights ``[8 * P]`` of its bits, in a lane of
    ``table [P * 256 * lanes]``."""
    for p in range(len(weights) // 8):
        at = p * BYTE
        table[at * lanes + lane] = 0
        for k in range(8):
            for j in range(1 << k):
                value = table[(at + j) * lanes + lane] + weights[8 * p + k]
                table[(at + (1 << k) + j) * lanes + lane] = value


@inner
def fill_lanes(weights, base, first, g, low, token, seen, count, table, own_base):
    """Tables and bases of the next ``count`` queries, ``table [P * 256 * lanes]``, ``own_base [C, lanes]``.

    ``weights [Hq, L, 8 * P]``, ``base [Hq, L, C]``. ``first``: query head of group 0. Queries go by group and
    token, from ``g`` and ``token`` on, of ``low`` and the tokens that are ``seen``.
    """
    lanes = own_base.shape[1]
    table[:] = 0
    own_base[:] = 0
    lane = 0
    while lane < count:
        if seen[token]:
            fill_table(weights[first + g, low + token], table, lanes, lane)
            mine = base[first + g, low + token]
            for c in range(len(mine)):
                own_base[c, lane] = mine[c]
            lane += 1
        token += 1
        if token == len(seen):
            token = 0
            g += 1
