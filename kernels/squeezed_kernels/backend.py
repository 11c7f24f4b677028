"""Which backends can run, and which one ``auto`` means: by device, data type and what is installed."""

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from types import ModuleType

import torch

AUTO = "auto"
REFERENCE = "reference"
MODULES = {
    REFERENCE: "squeezed_kernels.reference",
    "cpu": "squeezed_kernels.cpu.ops",
    "triton": "squeezed_kernels.triton.ops",
}
NARROW = (torch.float32, torch.bfloat16, torch.float16)  # what cpu and triton store
HEAD_SIZES = {"cpu": (1, 1024), "triton": (1, 256)}


def backends() -> tuple[str, ...]:
    """Names of the backends that can run here."""
    return tuple(name for name in MODULES if _obstacle(name) is None)


def interpreted() -> bool:
    """Whether Triton's kernels run in its interpreter, on the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def resolve_backend(backend: str, device: torch.device) -> str:
    """The backend that ``auto`` means on a device, or the one named, if it can run there.

    Raises:
        ValueError: an unknown backend, or one that cannot run here; the message says why.
    """
    if backend == AUTO:
        fitting = {"cuda": "triton", "cpu": "cpu"}.get(device.type, REFERENCE)
        return fitting if _obstacle(fitting) is None else REFERENCE
    if backend not in MODULES:
        raise ValueError(f"backend is {backend!r}; expected auto or one of {', '.join(MODULES)}")
    obstacle = _obstacle(backend)
    if obstacle is None and backend == "cpu" and device.type != "cpu":
        obstacle = f"the tensors are on {device}"
    if obstacle is None and backend == "triton" and device.type != "cuda" and not interpreted():
        obstacle = f"the tensors are on {device}, and TRITON_INTERPRET=1 is not set"
    if obstacle is not None:
        raise ValueError(f"backend {backend!r} cannot run: {obstacle}; use auto or reference")
    return backend


def implementation(backend: str, *tensors: torch.Tensor) -> ModuleType:
    """The module that holds a backend's operations, for these tensors.

    ``auto`` takes the reference for what the others cannot store (float64).

    Raises:
        ValueError: as ``resolve_backend``, or a named backend that cannot work on these tensors.
    """
    name = resolve_backend(backend, tensors[0].device)
    if name != REFERENCE:
        obstacle = _unfit(name, tensors)
        if obstacle and backend != AUTO:
            raise ValueError(f"backend {backend!r} cannot run: {obstacle}; use auto or reference")
        name = REFERENCE if obstacle else name
    return load(name)


def _unfit(name: str, tensors: tuple[torch.Tensor, ...]) -> str | None:
    for tensor in tensors:
        if tensor.dtype not in NARROW:
            return f"it has no {str(tensor.dtype).removeprefix('torch.')} arithmetic"
        low, high = HEAD_SIZES[name]
        if not low <= tensor.shape[-1] <= high:
            return f"its head sizes are {low} to {high}, not {tensor.shape[-1]}"
        if tensor.numel() == 0:
            return "a tensor is empty"
    return None


@functools.cache
def load(name: str) -> ModuleType:
    """A backend's module, imported when it is first needed."""
    return importlib.import_module(MODULES[name])


def compile_all(backend: str, dtype: torch.dtype, tell: Callable[[str, int, int], None]) -> None:
    """Compiles what a backend keeps on disk for keys of a type, where that is not kept there yet.

    Only ``cpu`` keeps code; with the others nothing is done.

    Args:
        tell: called before each part that has to be compiled: its name, its number, and how many there are.
    """
    if backend != "cpu" or dtype not in NARROW:
        return
    jit = importlib.import_module("squeezed_kernels.cpu.jit")
    stages = load(backend).stages(dtype)
    for number, (name, run) in enumerate(stages.items(), start=1):
        first = functools.cache(functools.partial(tell, name, number, len(stages)))
        with jit.listening(lambda _, first=first: first()):
            run()


@functools.cache
def _obstacle(name: str) -> str | None:
    """Why a backend cannot run on this machine, or ``None``."""
    needed = {"cpu": "numba", "triton": "triton"}.get(name)
    if needed and importlib.util.find_spec(needed) is None:
        return f"{needed} is not installed"
    if name == "triton" and not interpreted() and not torch.cuda.is_available():
        return "there is no CUDA device, and TRITON_INTERPRET=1 is not set"
    return None
