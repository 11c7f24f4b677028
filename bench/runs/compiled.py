"""Kernels that are compiled once on a machine, said before they are: it takes as long as a run."""

import functools
import sys

import squeezed_kernels
import torch
from tqdm import tqdm

from bench.config.spec import RunSpec


def compiled(spec: RunSpec) -> None:
    """Compiles what the run's backend keeps on disk, with a line for each part; nothing if all is there."""
    _compile(spec.backend, spec.model.dtype)


@functools.cache
def _compile(backend: str, dtype: str) -> None:
    said = False

    def tell(name: str, number: int, total: int) -> None:
        nonlocal said
        if not said:
            said = True
            text = f"compiling the {backend} kernels for {dtype}, once on this machine (about a minute)"
            tqdm.write(text, file=sys.stderr)
        tqdm.write(f"  {number} of {total}: {name}", file=sys.stderr)

    squeezed_kernels.compile_all(backend, getattr(torch, dtype), tell)
