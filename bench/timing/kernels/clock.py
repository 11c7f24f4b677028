"""Times of several steps in turns, so that what else the machine does meets all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

FEWEST, MOST = 5, 60  # rounds
COPY_BYTES = 1 << 28
FLUSH_BYTES = 1 << 28  # more than any GPU's second-level cache


@dataclass(frozen=True)
class Times:
    """Milliseconds of a step: median, 20 % and 80 % quantile, and how often it was measured.

    ``cpu``: median of the processor's time, of all threads together; None on a GPU. Where other work shares
    the machine, it is nearer to what the step takes than the clock on the wall.
    """

    median: float
    low: float
    high: float
    rounds: int
    cpu: float | None = None


def measure(
    steps: Mapping[str, Callable[[], object]], device: torch.device, seconds: float
) -> dict[str, Times]:
    """Times of all steps, each warm, measured in turns for about ``seconds`` in all."""
    ready = {name: _graph(step) if device.type == "cuda" else step for name, step in steps.items()}
    timed = _on_cuda() if device.type == "cuda" else _on_cpu
    for step in ready.values():
        step()
        step()
    found: dict[str, list[float]] = {name: [] for name in ready}
    used: dict[str, list[float]] = {name: [] for name in ready}
    start = time.perf_counter()
    for number in range(MOST):
        if number >= FEWEST and time.perf_counter() - start > seconds:
            break
        for name, step in ready.items():
            before = time.process_time()
            found[name].append(timed(step))
            used[name].append(1e3 * (time.process_time() - before))
    on_cpu = device.type != "cuda"
    return {name: summary(found[name], used[name] if on_cpu else []) for name in found}


def summary(values: list[float], cpu: Sequence[float] = ()) -> Times:
    """Median and quantiles of milliseconds, and the median of the processor's."""
    used = statistics.median(cpu) if cpu else None
    if len(values) < 2:
        return Times(values[0], values[0], values[0], 1, used)
    fifths = statistics.quantiles(values, n=5, method="inclusive")
    return Times(statistics.median(values), fifths[0], fifths[3], len(values), used)


def copy_bandwidth(device: torch.device) -> float:
    """Bytes a second of a large copy, read and written: the best of several."""
    source = torch.ones(COPY_BYTES // 4, device=device)
    target = torch.empty_like(source)
    timed = _on_cuda() if device.type == "cuda" else _on_cpu
    times = [timed(lambda: target.copy_(source)) for _ in range(7)]
    return 2 * COPY_BYTES / (min(times) / 1e3)


def product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Multiplications and additions a second of a large matrix product: the roof of the roofline."""
    size = 4096 if device.type == "cuda" else 1024
    a = torch.ones(size, size, device=device, dtype=dtype)
    timed = _on_cuda() if device.type == "cuda" else _on_cpu
    times = [timed(lambda: a @ a) for _ in range(7)]
    return 2 * size**3 / (min(times) / 1e3)


def _on_cpu(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return 1e3 * (time.perf_counter() - start)


def _on_cuda() -> Callable[[Callable[[], object]], float]:
    flush = torch.empty(FLUSH_BYTES, dtype=torch.int8, device="cuda")

    def timed(step: Callable[[], object]) -> float:
        flush.zero_()  # nothing is left in the cache from the last call
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        step()
        end.record()
        torch.cuda.synchronize()
        return float(begin.elapsed_time(end))

    return timed


def _graph(step: Callable[[], object]) -> Callable[[], object]:
    """A CUDA graph of the step, or the step itself where it cannot be captured."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(2):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            step()
    except RuntimeError:  # it waits for the host somewhere
        torch.cuda.synchronize()
        return step
    return graph.replay
