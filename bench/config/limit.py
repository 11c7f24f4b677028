"""A limit on the minutes that a command works, for machines that are had by the hour."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TimeIsUp(KeyboardInterrupt):  # a Ctrl-C that nobody pressed, and handled as one
    """The minutes that were asked for are over."""


@contextmanager
def limited(minutes: float | None) -> Iterator[None]:
    """Raises ``TimeIsUp`` in the main thread when the minutes are over; what is recorded by then is kept.

    Args:
        minutes: wall time from here on; ``None``: no limit.
    """
    if minutes is None:
        yield
        return

    def over(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp(f"after {minutes:g} minutes, as asked")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
