"""A line that tells how far a sweep is, while it runs: done, running, failed, and the time left.

On a terminal it stands in its place and is written anew; elsewhere, as in a log, it is a line of its own once
a minute, without control characters. It is read from the folders of the runs, so it is the same whichever
processes work on them.
"""

import contextlib
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TextIO

from tqdm import tqdm

from bench.records.manifest import Planned
from bench.records.progress import CLOSED, Progress
from bench.records.states import State, state_of

if TYPE_CHECKING:
    from bench.config.spec import RunSpec

POLL = 2.0  # seconds between two looks, at least
SHARE = 20  # a look that took a second is followed by so many seconds without one
QUIET = 60.0  # seconds between two lines where there is no terminal


class Line:
    """A text that changes.

    Args:
        stream: where it is shown. below: bars of tqdm's, of this process, stand above it.
    """

    def __init__(self, stream: TextIO, *, below: bool = False) -> None:
        self._stream, self._last = stream, ""
        self._bar = None
        if stream.isatty():
            self._bar = tqdm(bar_format="{desc}", position=int(below), file=stream, leave=not below)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, text: str) -> None:
        """Shows the text in place of the one before."""
        if self._bar is not None:
            width = shutil.get_terminal_size().columns - 1
            # The cursor goes back to the beginning, so that lines of other processes replace it.
            self._bar.set_description_str(f"{text[:width]:<{width}}\r")
        elif text != self._last:
            print(text, file=self._stream, flush=True)
        self._last = text


class Looks:
    """How far the runs of a plan are; those that are done are not looked at again."""

    def __init__(self, plan: "Sequence[RunSpec]") -> None:
        self._found: dict[RunSpec, State | None] = dict.fromkeys(plan)

    def __call__(self) -> Progress:
        """Looks now."""
        for spec, before in self._found.items():
            if before is None or before.state not in CLOSED:
                runs = spec.results / "runs"
                folder = str(spec.folder.relative_to(runs))
                run = Planned(folder, spec.title, spec.questions)
                self._found[spec] = state_of(runs, "", run)
        return Progress.of([each for each in self._found.values() if each is not None])


@contextmanager
def live(plan: "Sequence[RunSpec]", *, elsewhere: bool) -> Iterator[None]:
    """Shows the line on stderr while the block works on a plan.

    Args:
        elsewhere: other processes do the runs, so that this one has no bars of its own.
    """
    terminal = sys.stderr.isatty()
    if terminal and len(plan) == 1:  # its bar says it all
        yield
        return
    over = threading.Event()

    def follow() -> None:
        # Else Ctrl-C might come here, and wake nobody who waits for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        looks, least = Looks(plan), POLL if terminal else QUIET
        pause = least
        with Line(sys.stderr, below=not elsewhere) as line:
            while not over.wait(pause):
                began = time.monotonic()
                with contextlib.suppress(OSError):  # a folder that goes away is for others to tell
                    line.show(looks().line())
                pause = max(least, SHARE * (time.monotonic() - began))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
