"""Work without Python's collector of cycles, where it finds nothing: imports, and tables that all stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Inside the block large libraries are imported, or records read of which all is needed.

    Nothing that an import makes is garbage. The collector looks through all of it again each time that it has
    become a quarter more: about 2 of 9 CPU seconds of a start with torch and transformers, and 4 of 33 of a
    report of 760 runs.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
