"""How a step's arrays reach the threads that work on it.

A step is one call into compiled code (``cpu_attend.attend``, ``cpu_lookup.lookup``): after a layer of a real
model the code of all that Python does between two loops must come from memory again. The step hands its
arrays, by *fields*, to a *task*, a C function that every thread of the team runs.
"""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from squeezed_kernels.cpu.jit import inner, pointer
from squeezed_kernels.cpu.plan import Plan

# The fields that hand a step's arrays to its task, an int64 array: spans that were taken, that were done, and
# that there are; the rest is the step's own.
TAKEN, DONE, SPANS = range(3)
FIELDS = 48


@intrinsic
def _next(typingctx: Any, address: Any) -> Any:
    """Adds one to the int64 at an address, which other threads do too; returns what it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        where = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", where, ir.IntType(64)(1), "monotonic")

    return types.int64(types.int64), generate


@intrinsic
def _call(typingctx: Any, task: Any, data: Any) -> Any:
    """Calls ``void task(void *data)``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer])
        task = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(task, [builder.inttoptr(arguments[1], pointer)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _call_team(typingctx: Any, run: Any, task: Any, data: Any, threads: Any) -> Any:
    """Calls ``run`` of a ``Team``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        task_kind = ir.FunctionType(ir.VoidType(), [pointer]).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [task_kind, pointer, number, number])
        run = builder.inttoptr(arguments[0], kind.as_pointer())
        task = builder.inttoptr(arguments[1], task_kind)
        data = builder.inttoptr(arguments[2], pointer)
        builder.call(run, [task, data, builder.trunc(arguments[3], number), number(0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), generate


@inner
def put(fields, at, array):
    """Writes an array's address and shape; returns the place after them."""
    fields[at] = array.ctypes.data
    for k in range(array.ndim):
        fields[at + 1 + k] = array.shape[k]
    return at + 1 + array.ndim


@inner
def floats(fields, at):
    """A float32 matrix that was ``put``; what it returns holds no reference, as all of these."""
    return numba.carray(pointer(fields[at]), (fields[at + 1], fields[at + 2]), np.float32)


@inner
def _integers(fields, at):
    return numba.carray(pointer(fields[at]), (fields[at + 1],), np.int64)


@inner
def put_work(fields, spans, plan, cap, query):
    """The first fields of every step; returns the place after them."""
    fields[SPANS] = spans
    fields[3], fields[4], fields[5] = plan.length, plan.block, plan.sub
    fields[6] = np.float32(cap).view(np.int32)
    at = put(fields, 7, plan.starts)
    at = put(fields, at, plan.before)
    at = put(fields, at, plan.first)
    at = put(fields, at, plan.work)
    return put(fields, at, query)


@inner
def work_of(fields):
    """Plan, cap and query as they were put, and the place after them."""
    plan = Plan(
        _integers(fields, 7),
        _integers(fields, 9),
        _integers(fields, 11),
        _integers(fields, 13),
        fields[3],
        fields[4],
        fields[5],
    )
    shape = (fields[16], fields[17], fields[18], fields[19], fields[20])
    query = numba.carray(pointer(fields[15]), shape, np.float32)
    return plan, np.int32(fields[6]).view(np.float32), query, 21


@inner
def take_span(fields):
    """The next span; there may be no such one."""
    return _next(fields.ctypes.data + 8 * TAKEN)


@inner
def finish_span(fields):
    _next(fields.ctypes.data + 8 * DONE)


@inner
def share(team, fields, held):
    """Runs a step's task until all spans are done: whoever is free takes the next.

    ``held``: the arrays whose addresses are among the fields. Numba frees an array after its last use, which
    must not be before this.
    """
    fields[TAKEN] = fields[DONE] = 0
    threads = min(team.threads, fields[SPANS])
    if threads > 1:
        _call_team(team.run, team.task, fields.ctypes.data, threads)
    else:
        _call(team.task, fields.ctypes.data)
    if fields[DONE] != fields[SPANS]:
        raise MemoryError("a thread of the cpu backend found no memory for its part")
