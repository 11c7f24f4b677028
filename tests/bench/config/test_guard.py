"""An interrupt ends a command, wherever in the program it arrives."""

import signal
import time
from collections.abc import Iterator

import pytest

from bench.config.guard import STOPPED, guarded
from bench.config.limit import limited


class Interrupted:
    """An interrupt that arrives while an object is deleted, where Python drops it."""

    def __init__(self, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.error = error

    def __del__(self) -> None:
        raise self.error


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Whoever starts the tests in the background may have turned it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_that_python_drops_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        Interrupted()
        time.sleep(20)
        raise AssertionError("it went on")

    start = time.monotonic()
    assert guarded(work, "all is kept") == STOPPED
    assert time.monotonic() - start < 15  # it does not wait for what is waited for
    assert capsys.readouterr().err == "\nstopped; all is kept\n"


def test_so_are_minutes_that_are_over(capsys: pytest.CaptureFixture[str]) -> None:
    class Slow:
        def __del__(self) -> None:
            time.sleep(1)

    def work() -> None:
        with limited(0.005):
            Slow()  # the minutes are over meanwhile
            time.sleep(20)
            raise AssertionError("it went on")

    assert guarded(work) == STOPPED
    assert capsys.readouterr().err.startswith("\nstopped after 0.005 minutes, as asked;")


def test_work_that_ends_all_the_same_is_done() -> None:
    assert guarded(lambda: Interrupted() and None) == 0
    time.sleep(0.2)  # nothing comes after it


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_other_errors_there_are_left_as_they_are() -> None:
    assert guarded(lambda: Interrupted(ValueError) and None) == 0
