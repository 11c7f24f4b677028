"""Importing large libraries without Python's collector of cycles, which finds nothing there."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Inside the block large libraries are imported.

    Nothing that an import makes is garbage. The collector looks through all of it again each time that it has
    become a quarter more: about 2 of 9 CPU seconds of a start with torch and transformers.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
