"""What the numbers were measured on: device, versions, roofs."""

import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.records.provenance import commit
from bench.timing.kernels import clock


@dataclass(frozen=True)
class Machine:
    """Attributes: ``name`` of the device; ``copy`` bytes and ``product`` operations a second, measured."""

    name: str
    threads: int
    copy: float
    product: float
    torch: str
    compiler: str
    commit: str


def describe(device: torch.device, dtype: torch.dtype) -> Machine:
    """Measures the machine's roofs and names its parts."""
    cuda = device.type == "cuda"
    # Our CPU kernels calculate in float32 whatever they store; torch's own 16-bit product is no roof there.
    calculated = dtype if cuda else torch.float32
    package = "triton" if cuda else "numba"
    return Machine(
        torch.cuda.get_device_name(device) if cuda else processor_name(),
        0 if cuda else torch.get_num_threads(),
        clock.copy_bandwidth(device),
        clock.product_rate(device, calculated),
        torch.__version__,
        f"{package} {_version(package)}",
        commit(),
    )


def processor_name() -> str:
    """The processor's name as the system tells it."""
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        for line in listed.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
