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
    as it was worked on. An error, or Ctrl-C, stops all workers after what they are at.

    Args:
        workers: threads that work, with torch's threads shared out among them; 1: the caller's own thread.
            They know the caller's gradient and inference mode. While they are at work, threads that others
            begin get a worker's share of torch's threads.
    """
    made: dict[int, Made] = {}
    lock = Lock()

    def stop() -> None:
        with lock:
            given.clear()

    def run() -> None:
        while True:
            with lock:
                if not given:
                    return
                place = len(given) - 1
                each = given.pop()
            try:
                made[place] = work(each)
            except BaseException:
                stop()
                raise
            del each

    if workers == 1:
        run()
    else:
        _in_threads(run, workers, stop)
    return tuple(made[place] for place in range(len(made)))


def _in_threads(run: Callable[[], None], workers: int, stop: Callable[[], None]) -> None:
    threads = torch.get_num_threads()
    gradients, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    def as_the_caller(number: int) -> None:
        share, left = divmod(threads, workers)
        # A thread takes the number last set anywhere when it first needs one; asking for it first is that.
        torch.get_num_threads()
        torch.set_num_threads(max(1, share + (number < left)))
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
            run()

    try:
        with ThreadPoolExecutor(workers) as pool:
            begun = [pool.submit(as_the_caller, number) for number in range(workers)]
            try:
                for each in begun:
                    each.result()
            except BaseException:
                stop()
                raise
    finally:
        torch.set_num_threads(threads)  # for threads to come, which take the number last set
