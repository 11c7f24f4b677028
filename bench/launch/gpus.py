"""One GPU for each of several processes on one machine; a cluster's scheduler does that by itself."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import filelock
import torch

from bench.config.errors import RunError
from bench.config.spec import RunSpec

WAIT = 1.0  # seconds between two looks for a GPU that is free


@contextmanager
def one_gpu(group: Sequence[RunSpec], *, wanted: bool) -> Iterator[list[RunSpec]]:
    """The runs on a GPU that no other process of the sweep has, or as they are.

    A run that names its GPU (``model.device=cuda:1``) keeps it, and one that spreads its model takes them
    all. With more processes than GPUs the others wait, because two models on one GPU may be one too many.

    Args:
        wanted: False: leave the runs as they are.
    """
    found = torch.cuda.device_count()
    if (
        not wanted
        or found < 2
        or any(spec.model.device != "cuda" or spec.model.spread for spec in group)
    ):
        yield list(group)
        return
    folder = group[0].results / "runs" / ".hydra"
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        for number in range(found):
            lock = filelock.FileLock(folder / f"gpu{number}.lock")
            try:
                lock.acquire(timeout=WAIT / found)
            except filelock.Timeout:
                continue
            except OSError as error:
                raise RunError(f"cannot lock a GPU in {folder}: {error}") from error
            try:
                yield [_on(spec, f"cuda:{number}") for spec in group]
            finally:
                lock.release()
            return


def _on(spec: RunSpec, device: str) -> RunSpec:
    return dataclasses.replace(spec, model=dataclasses.replace(spec.model, device=device))
