"""Work without Python's collector of cycles, where it finds nothing: imports, and tables that all stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(*, last: bool = False) -> Iterator[None]:
    """Inside the block large libraries are imported, or records read of which all is needed.

    Nothing that an import makes is garbage. The collector looks through all of it again each time that it has
    become a quarter more: about 2 of 9 CPU seconds of a start with torch and transformers, and 4 of 33 of a
    report of 760 runs.

    Args:
        last: this is the last work of the process: what is there at its end is not looked through, where
            the collector would do it twice, at the end of the block and at that of the process. If it was not
            the last after all, the next block gives it back to the collector.
    """
    gc.unfreeze()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if last:
            gc.freeze()
        if was_on:
            gc.enable()
