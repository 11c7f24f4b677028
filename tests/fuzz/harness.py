"""Feeds damaged inputs to a loader, which has to accept them or to raise an error that it documents."""

import contextlib
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tqdm import tqdm

SECONDS = 20  # of the processor that one input may take; a busy machine is no hang
WAIT = 15  # times as many may pass on the clock, for what waits and does nothing


@dataclass(frozen=True)
class Loader:
    """Something that reads files which others wrote.

    Attributes:
        name: for reports. share: of all inputs that it gets, in parts of the sum of all shares.
        seeds: makes good inputs, in a folder that is its own.
        damage: makes a damaged input of them.
        read: reads one input, given as bytes, in an empty folder; raises AssertionError where it accepts what
            cannot be used later.
        documented: errors that it may raise.
    """

    name: str
    share: int
    seeds: Callable[[Path], Sequence[bytes]]
    damage: Callable[[random.Random, Sequence[bytes]], bytes]
    read: Callable[[bytes, Path], object]
    documented: tuple[type[Exception], ...]


@dataclass(frozen=True)
class Crash:
    """An input that a loader neither accepted nor refused as documented."""

    loader: str
    number: int
    content: bytes
    error: BaseException

    def __str__(self) -> str:
        last = traceback.extract_tb(self.error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        said = str(self.error)[:100]
        return f"{self.loader} #{self.number}: {type(self.error).__name__} at {place}: {said}"


@dataclass
class Tally:
    """What became of a loader's inputs; seeds, which must be accepted, count too.

    ``slowest``: seconds of the processor that one of them took at most. ``seeds``: how many those are.
    """

    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    seeds: int = 0

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused


class TooSlowError(Exception):
    """An input took longer than ``SECONDS``."""


def fuzz(loader: Loader, count: int, seed: int, folder: Path) -> tuple[Tally, list[Crash]]:
    """Reads the loader's seeds and ``count`` damaged inputs.

    Args:
        seed: of the damage; input ``number`` of a seed is always the same. folder: to work in, empty.

    Raises:
        AssertionError: a seed is refused, so that damage to it would show nothing.
    """
    tally, crashes = Tally(), []
    (folder / "seeds").mkdir(parents=True)
    (folder / "input").mkdir()
    seeds = loader.seeds(folder / "seeds")
    tally.seeds = len(seeds)
    for number, content in enumerate(seeds):
        # The first of them may compile loops, and import what reads it.
        crash = _one(loader, number, content, folder / "input", tally, WAIT * SECONDS)
        if crash or tally.refused:
            raise AssertionError(f"seed {number} of {loader.name} is not accepted: {crash}")
    # A line a minute where nobody watches, as in a log.
    often = 0.1 if sys.stderr.isatty() else 60.0
    for number in tqdm(range(count), desc=loader.name, leave=False, mininterval=often, delay=often):
        draw = random.Random(f"{seed} {loader.name} {number}")
        content = loader.damage(draw, seeds)
        crash = _one(loader, number, content, folder / "input", tally, SECONDS)
        crashes += [crash] if crash else []
    return tally, crashes


def _one(
    loader: Loader, number: int, content: bytes, folder: Path, tally: Tally, seconds: float
) -> Crash | None:
    start = time.process_time()
    try:
        with time_limit(seconds):
            loader.read(content, folder)
    except loader.documented:
        tally.refused += 1
    except Exception as error:
        return Crash(loader.name, number, content, error)
    else:
        tally.accepted += 1
    finally:
        tally.slowest = max(tally.slowest, time.process_time() - start)
    return None


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises TooSlowError inside the block when the time is over."""

    def over(signum: int, frame: FrameType | None) -> NoReturn:
        raise TooSlowError(f"more than {seconds:g} seconds")

    timers = (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds),
        (signal.ITIMER_REAL, signal.SIGALRM, WAIT * seconds),
    )
    before = [signal.signal(number, over) for _, number, _ in timers]
    for timer, _, limit in timers:
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for (timer, number, _), old in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, old)
