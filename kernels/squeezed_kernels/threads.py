"""Threads for the ``cpu`` backend: plain Python threads, since its compiled loops hold no lock.

Numba's own thread layers are left alone: their idle workers and torch's would spin against each other, and
one of them must not be entered from two threads at once.
"""

import functools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

# Below this many multiply-adds a second thread costs more to wake (50 to 100 us) than it saves. Where memory
# sets the pace there are about 3 of them a nanosecond, so this many take 170 us.
WORTH_A_THREAD = 1 << 19
SPANS_A_THREAD = (
    4  # a thread that the system holds up then delays a quarter of its share, not all of it
)


def spans(rows: int, each: int) -> int:
    """Equal shares to cut rows of ``each`` multiply-adds into; one if there is one thread or little to do.

    No share is empty: an empty one would leave no result where the merge looks for it.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return 1
    return max(1, min(threads * SPANS_A_THREAD, rows * each // WORTH_A_THREAD, rows))


def run(task: Callable[[int], object], count: int, work: int = WORTH_A_THREAD) -> None:
    """Calls ``task(0)`` to ``task(count - 1)`` on torch's number of threads, this one among them.

    Whoever is free takes the next; with little ``work`` (multiply-adds in all) this thread does everything.
    Raises what a task raised.
    """
    numbers = iter(range(count))  # its ``next`` is atomic

    def take() -> None:
        for number in numbers:
            task(number)

    helpers = min(count, torch.get_num_threads()) - 1 if work >= WORTH_A_THREAD else 0
    others: list[Future[None]] = [_pool(os.getpid()).submit(take) for _ in range(helpers)]
    try:
        take()
    finally:
        for other in others:
            other.result()


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """The pool of this process: threads do not survive a fork."""
    return ThreadPoolExecutor(
        max_workers=max(1, (os.cpu_count() or 1) - 1), thread_name_prefix="squeezed"
    )
