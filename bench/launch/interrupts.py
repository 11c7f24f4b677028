"""Ctrl-C, and being told to end, for this process alone, while it waits for processes that it has started."""

import _thread
import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import NoReturn

POLL = 0.2  # seconds between two looks whether the block is over


@contextmanager
def only_here() -> Iterator[None]:
    """Processes that begin inside the block never see Ctrl-C, so that none prints where it was.

    A terminal sends it to all of them. The signal is held back here, which they inherit, and a thread takes
    it and interrupts this process, which then ends them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = threading.Event()

    def wait() -> None:
        while not over.is_set():
            if signal.sigtimedwait({signal.SIGINT}, POLL) is not None:
                _thread.interrupt_main()

    def end(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    _start_trackers()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    # What batch systems and service managers send: without this the processes begun here would go on alone.
    # Programs that are started anew do not inherit it.
    terminated = signal.signal(signal.SIGTERM, end)
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, terminated)
        over.set()
        thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_trackers() -> None:
    """The processes that clean up after others, of Python and of joblib, if it is there.

    Starting one lets Ctrl-C through again for whoever starts it, held back or not (Python 3.11, joblib 1.5),
    so that the workers begun after it would see it.
    """
    resource_tracker.ensure_running()
    with contextlib.suppress(ImportError):
        from joblib.externals.loky.backend import resource_tracker as of_joblib

        of_joblib.ensure_running()
