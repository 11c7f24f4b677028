"""How the loops of the ``cpu`` backend are compiled and kept on disk.

The loops are in ``numbers`` (conversions, exp, log), ``tile`` (what is done with a few rows),
``plan`` and ``ranges`` (who reads which rows), ``task`` (threads), ``attend``, ``lookup`` and ``decode``
(whole steps). Storage types: float32 as it is, bfloat16 as ``uint16``, float16 as ``int16``;
arithmetic is float32. Sums may be reordered, which makes them vectors; NaN and infinity keep their meaning.
"""

import functools
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature
from numba.extending import intrinsic

_listeners: list[Callable[[str], None]] = []


@contextmanager
def listening(listener: Callable[[str], None]) -> Iterator[None]:
    """Inside the block the listener hears the name of each function that is to be compiled, because its
    code is not kept on disk."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def jit(**flags: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compiles a loop, which then holds no lock of Python's, and keeps it on disk."""

    def compiled(function: Callable[..., Any]) -> Any:
        return _kept(numba.njit(nogil=True, error_model="numpy", **flags)(function))

    return compiled


def compile_task(function: Callable[..., Any]) -> Any:
    """A function of the address of int64 fields, as C code.

    Were other compiled functions among its free variables, it would be compiled in every process: the cache
    knows those by a number that changes.
    """
    signature = normalize_signature(types.void(types.CPointer(types.int64)))
    task = _kept(CFunc(function, signature, locals={}, options={"error_model": "numpy"}))
    task.compile()
    return task


def _kept(function: Any) -> Any:
    """A function whose code is kept on disk, if a folder can be written."""
    try:
        function.enable_caching()
        # Numba keeps a function as long as its own file stays as it is; it consists of functions of others.
        function._cache._cache_file._source_stamp = _stamp()
    except RuntimeError:
        pass
    kept = function._cache.load_overload

    def load(signature: Any, target: Any) -> Any:
        found = kept(signature, target)
        if found is None:
            for listener in tuple(_listeners):
                listener(function.__name__)
        return found

    function._cache.load_overload = load
    return function


@functools.cache
def _stamp() -> str:
    """A hash of all files of loops."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


REORDERED = {"reassoc", "contract", "nsz"}  # no flag that assumes numbers to be finite
# What only loops call: nothing is compiled that would let Python call it, a seventh of the time.
LOOPS_ONLY = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# Fastmath is said, not left out: what is left out is inherited from the first caller that compiles the
# function, and reordered sums would cancel the rounding trick in exp.
sums, inner_sums = jit(fastmath=REORDERED), jit(fastmath=REORDERED, **LOOPS_ONLY)
exact, inner = jit(fastmath=False), jit(fastmath=False, **LOOPS_ONLY)
# Becomes part of its caller before that is compiled: a compiled function is optimized again in every function
# that calls it, and those in the callers of those.
part_of_caller = jit(fastmath=False, inline="always")


@intrinsic
def pointer(typingctx: Any, address: Any) -> Any:
    """An address as a pointer, for ``numba.carray``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.int64), generate
