"""Time of the clustering: K-means' inner step by each backend, and a whole layer by the engine."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from squeezed_kernels import assign, backends
from torch.nn import functional

from bench.timing.kernels.machine import Machine

WARM = 512  # points of each head that are clustered before any clustering is timed
KEYS = ("device", "threads", "what", "heads", "points", "clusters", "head_size", "dtype")
FIELDS = (*KEYS, "seconds", "seconds_32_layers", "gflop_per_s", "torch", "compiler", "commit")


@dataclass(frozen=True)
class Layer:
    """Heads, points of each, clusters of each, numbers of a point."""

    heads: int
    points: int
    clusters: int
    size: int


LAYERS = {"cpu": Layer(2, 8192, 410, 128), "cuda": Layer(32, 131072, 6554, 128)}


def measure(
    device: torch.device, machine: Machine, say: Callable[[str], None]
) -> list[dict[str, object]]:
    """Seconds of one assignment by each backend, and of clustering one layer, once, warm; 32 layers are 32
    times that."""
    layer = LAYERS[device.type]
    generator = torch.Generator(device).manual_seed(0)
    shape = (layer.heads, layer.points, layer.size)
    points = functional.normalize(torch.randn(shape, generator=generator, device=device), dim=-1)
    centroids = points[:, : layer.clusters].contiguous()
    dtypes = [torch.float32, torch.bfloat16] if device.type == "cuda" else [torch.float32]
    other = "cpu" if device.type == "cuda" else "triton"  # the backend of the other kind of device
    rows = []
    for dtype in dtypes:
        for backend in backends():
            if backend == other:
                continue
            data, middle = points.to(dtype), centroids.to(dtype)
            seconds = _seconds(lambda d=data, m=middle, b=backend: assign(d, m, backend=b), device)  # type: ignore[misc]
            rows.append(_row(f"assign {backend}", layer, dtype, seconds, machine))
            say(f"  assign, {backend}, {dtype}: {seconds:.3f} s")
    try:
        from squeezed.clustering import spherical_kmeans
    except ImportError as error:
        say(f"  the engine's clustering cannot be imported: {error}")
        return rows
    # The first call of anything pays for loading and compiling it; a small one reaches the same code.
    spherical_kmeans(points[:, :WARM].contiguous(), WARM // 20)
    seconds = _seconds(lambda: spherical_kmeans(points, layer.clusters), device, times=1)
    rows.append(_row("k-means of a layer", layer, torch.float32, seconds, machine))
    say(f"  k-means of a layer: {seconds:.2f} s")
    return rows


def _row(
    what: str, layer: Layer, dtype: torch.dtype, seconds: float, machine: Machine
) -> dict[str, object]:
    work = 2.0 * layer.heads * layer.points * layer.clusters * layer.size
    return {
        "device": machine.name,
        "threads": machine.threads,
        "what": what,
        "heads": layer.heads,
        "points": layer.points,
        "clusters": layer.clusters,
        "head_size": layer.size,
        "dtype": str(dtype).removeprefix("torch."),
        "seconds": seconds,
        "seconds_32_layers": 32 * seconds,
        "gflop_per_s": work / seconds / 1e9 if what.startswith("assign") else "",
        "torch": machine.torch,
        "compiler": machine.compiler,
        "commit": machine.commit,
    }


def _seconds(step: Callable[[], object], device: torch.device, times: int = 3) -> float:
    """The best of several after one that warms up; one alone is timed as it comes."""
    found = []
    for _ in range(times + (times > 1)):
        _wait(device)
        start = time.perf_counter()
        step()
        _wait(device)
        found.append(time.perf_counter() - start)
    return min(found)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
