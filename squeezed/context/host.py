"""Where a context's keys and values live."""

from dataclasses import replace
from typing import TypeVar

import torch

from squeezed.context.data import Context

C = TypeVar("C", bound=Context)


def to_host(context: C) -> C:
    """The same context with keys and values in host memory, pinned where there is a GPU.

    The index stays on its device; attention over the fixed rows is computed on the host. Layers with a
    sliding window stay where they are.
    """
    layers = tuple(
        replace(layer, keys=_moved(layer.keys), values=_moved(layer.values))
        for layer in context.layers
    )
    # Calibrations may come from a file, without the queries to make them again.
    return replace(context, layers=layers).with_derived(context.derived)


def _moved(tensor: torch.Tensor) -> torch.Tensor:
    host = tensor.cpu()
    return host.pin_memory() if tensor.device.type == "cuda" else host
