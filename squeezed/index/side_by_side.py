"""Layers worked on side by side, each on its share of the processor's threads.

Half of the time of a clustering goes to many small steps, which gain nothing from a second thread; two
layers at once do.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

import torch

# Each layer at work holds copies of its own keys and values: with one in eight at work, copies of an eighth
# of all keys and values at most.
LAYERS_A_WORKER = 8

Given = TypeVar("Given")
Made = TypeVar("Made")


def workers_for(layers: int, device: torch.device) -> int:
    """How many layers are worked on at once; one on a device that is no processor."""
    if device.type != "cpu":
        return 1
    return max(1, min(torch.get_num_threads(), layers // LAYERS_A_WORKER))


def side_by_side(
    work: Callable[[Given], Made], given: list[Given], workers: int
) -> tuple[Made, ...]:
    """What ``work`` makes of each of ``given``, in their order.

    Takes them out of the list one by one, the last one first, so that what nobody else holds is freed as soon
    as it was worked on. An error, or Ctrl-C, stops the workers after what they are at.

    Args:
        workers: threads that work, each with its share of torch's; 1: the caller's own thread.
    """
    made: dict[int, Made] = {}
    lock = Lock()

    def run() -> None:
        while True:
            with lock:
                if not given:
                    return
                place = len(given) - 1
                each = given.pop()
            made[place] = work(each)
            del each

    if workers == 1:
        run()
    else:
        _in_threads(run, workers, given)
    return tuple(made[place] for place in range(len(made)))


def _in_threads(run: Callable[[], None], workers: int, given: list[Given]) -> None:
    threads = torch.get_num_threads()
    gradients, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def as_the_caller() -> None:  # what torch knows for each thread apart
        torch.set_num_threads(max(1, threads // workers))
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
            run()

    with ThreadPoolExecutor(workers) as pool:
        try:
            for each in [pool.submit(as_the_caller) for _ in range(workers)]:
                each.result()
        finally:
            given.clear()
            torch.set_num_threads(threads)  # for threads to come, which take the number last set
