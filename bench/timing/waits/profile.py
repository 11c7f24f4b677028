"""Where the time of a step goes: matrix products, compiled loops, Python of ours and of transformers.

Python's own profiler counts every call, which costs about a microsecond each: what consists of many small
calls looks larger than it is, and an operator such as ``@`` is a part of the function that it stands in. So
shares of a profile are a guide; ``run`` measures the times.
"""

import cProfile
import pstats
import re
from collections.abc import Callable
from pathlib import Path

import squeezed_kernels

import squeezed

PRODUCTS, ATTENTION, LOOPS = "matrix products", "torch's attention", "compiled loops of ours"
OURS, THEIRS = "Python of ours", "Python of transformers"
TORCH, REST = "other operations and Python of torch", "everything else"
PARTS = (PRODUCTS, ATTENTION, LOOPS, OURS, THEIRS, TORCH, REST)
_PRODUCTS = ("linear", "matmul", "bmm", "mm", "addmm", "baddbmm")
_BUILT_IN = re.compile(r"method '?([\w.]+)")  # as the profiler names what is not written in Python
_PYTHON = ("ops", "team", "jit")  # of the cpu backend, beside its loops


def profiled(step: Callable[[], object], times: int) -> dict[str, tuple[float, float]]:
    """Milliseconds and calls of each part, of one step on average.

    Args:
        step: what is profiled. times: how often it is done.
    """
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(times):
        step()
    profile.disable()
    found = dict.fromkeys(PARTS, (0.0, 0.0))
    # By place: calls, of which not by itself, own seconds, seconds with all that it calls, callers.
    for (file, _, name), (_, calls, seconds, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        part = part_of(file, name)
        before = found[part]
        found[part] = before[0] + 1e3 * seconds / times, before[1] + calls / times
    return found


def part_of(file: str, name: str) -> str:
    """The part that a function belongs to; ``file`` is ``~`` for those that are not written in Python."""
    if file == "~":
        found = _BUILT_IN.search(name)
        if found is None or "torch" not in name:
            return REST
        last = found[1].rsplit(".", 1)[-1]
        if last == "scaled_dot_product_attention":
            return ATTENTION
        return PRODUCTS if last in _PRODUCTS else TORCH
    path = Path(file)
    kernels = Path(squeezed_kernels.__file__).parent
    if path.parent == kernels / "cpu" and path.stem not in _PYTHON:
        return LOOPS
    if path.is_relative_to(kernels) or path.is_relative_to(Path(squeezed.__file__).parent):
        return OURS
    if "transformers" in path.parts:
        return THEIRS
    return TORCH if "torch" in path.parts else REST
