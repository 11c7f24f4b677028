"""Memory that is freed: kept for the process, so that no step pays for getting it again, or given back.

The C library gives large blocks back to the system as soon as they are free, and the next tensor of that size
is mapped and cleared page by page. What that costs depends on what was freed before: the same pass of eight
inputs on transformers' own cache, which copies keys and values at every step, took from 1.5 to 5.6 s.
"""

import ctypes
import gc
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt
ALL = 2**31 - 1


def keep_freed() -> bool:
    """From now on, for the whole process; returns whether this system can do it (glibc on Linux)."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, ALL))


def give_back_freed() -> None:
    """Gives freed memory back to the system, where the C library can (glibc on Linux)."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
