"""How a command ends: an error becomes one line on stderr, and an exit code; so does Ctrl-C."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.config.errors import InputError, RunError, fail
from bench.config.limit import TimeIsUp
from rows.extras import missing
from rows.keys import SettingError

STOPPED = (
    130  # as a shell says of a process that Ctrl-C has stopped; so is one whose minutes are over
)
AGAIN = 0.05  # seconds until an interrupt that was lost is sent once more


def guarded(work: Callable[[], int | None], kept: str = "nothing was changed") -> int:
    """Does the work of a command; returns its exit code: 0 done, 1 it could not go on, 2 bad input.

    Args:
        kept: said after Ctrl-C: what is there, and how to go on.
    """
    try:
        with _heard():
            return work() or 0
    except KeyboardInterrupt as error:
        why = f" {error}" if isinstance(error, TimeIsUp) else ""
        print(f"\nstopped{why}; {kept}", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # whoever read the output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except RunError as error:
        return fail(1, str(error))
    except (InputError, SettingError) as error:
        return fail(2, str(error))
    except ModuleNotFoundError as error:
        hint = missing(error)
        if hint is None:
            raise
        return fail(2, hint)
    except OSError as error:
        return fail(2, f"cannot write: {error}; give another folder: results=DIR")


@contextmanager
def _heard() -> Iterator[None]:
    """Ctrl-C counts wherever it arrives: where Python only prints an exception, it is sent once more.

    That is so in a ``__del__`` and in functions that a library calls back: the work would go on as if nobody
    had asked it to stop.
    """
    before = sys.unraisablehook
    timers: list[threading.Timer] = []

    def again(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
            return
        number = signal.SIGALRM if issubclass(lost.exc_type, TimeIsUp) else signal.SIGINT
        timers.append(threading.Timer(AGAIN, _send, (number,)))
        timers[-1].start()

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before
        for timer in timers:  # the work ended before it came
            timer.cancel()


def _send(number: int) -> None:
    """The signal to this process, which also wakes it from a wait, if there still is who handles it."""
    if callable(signal.getsignal(number)):
        os.kill(os.getpid(), number)
