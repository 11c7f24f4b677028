"""What a model's outputs are made from beside plain parameters: buffers, packed and quantised weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from squeezed.errors import UnsupportedModelError

SAMPLE = 64  # values of each tensor


def parts(name: str, value: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The plain tensors that a weight is kept in, by name.

    A tensor class of a quantising library says itself which tensors it is made of (``__tensor_flatten__``);
    packed weights come as tuples. A plain tensor is its only part.
    """
    if isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from parts(f"{name}.{number}", each)
    elif not isinstance(value, torch.Tensor):
        return
    elif hasattr(value, "__tensor_flatten__"):
        for inner in value.__tensor_flatten__()[0]:
            yield from parts(f"{name}.{inner}", getattr(value, inner))
    else:
        yield name, value.dequantize() if value.is_quantized else value


def beside_parameters(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors that a checkpoint of the model would hold and that are no parameters.

    Buffers that are not saved are left out: they are made from the configuration, which counts for itself.
    """
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    # keep_vars: some tensor classes cannot be detached in inference mode.
    for name, value in model.state_dict(keep_vars=True).items():
        if name not in parameters:
            yield from parts(name, value)


def offloaded(model: nn.Module, name: str) -> torch.Tensor:
    """A weight that ``device_map`` keeps in host memory or on disk, from where its layer's hook gets it.

    Raises:
        UnsupportedModelError: it has no values anywhere.
    """
    path, _, leaf = name.rpartition(".")
    hook = getattr(model.get_submodule(path), "_hf_hook", None)
    held = [getattr(each, "weights_map", None) for each in getattr(hook, "hooks", (hook,))]
    found = next((each for each in held if each is not None), None)
    if found is None:
        raise UnsupportedModelError(f"{name} is on the device meta, so it has no values; load them")
    tensor: torch.Tensor = found[leaf]
    return tensor


def sample(tensor: torch.Tensor) -> bytes:
    """Evenly spread values of a tensor, as bytes."""
    flat = tensor.flatten()
    spread = flat[:: max(1, len(flat) // SAMPLE)]
    if spread.dtype in (torch.int32, torch.int64, torch.uint32, torch.uint64):
        return spread.cpu().numpy().tobytes()  # packed weights: float32 would lose their low bits
    if spread.dtype == getattr(torch, "float4_e2m1fn_x2", None):
        spread = spread.view(torch.uint8)
    return spread.float().cpu().numpy().tobytes()


def refusals(model: nn.Module) -> Iterator[str]:
    """Quantised weights with which the engine would be wrong, each as the end of a sentence on the model."""
    if any(map(_scales_by_pass, model.modules())):
        yield (
            "quantises activations with one scale for each forward pass, so its outputs depend on which "
            "tokens are read together; quantise weights only, or activations token by token"
        )

    if any(map(_chooses_by_pass, model.modules())):
        yield (
            "chooses for each forward pass the columns that stay in 16 bits (LLM.int8 with a threshold), so "
            "its outputs depend on which tokens are read together; load it with llm_int8_threshold=0"
        )


def _chooses_by_pass(module: nn.Module) -> bool:
    threshold = getattr(vars(module).get("state"), "threshold", 0)  # of bitsandbytes' 8-bit layers
    return isinstance(threshold, int | float) and threshold > 0


def _scales_by_pass(module: nn.Module) -> bool:
    if type(module).__module__.startswith("torch.ao.nn.quantized.dynamic"):
        return True
    arguments = getattr(getattr(module, "weight", None), "act_quant_kwargs", None)
    return type(getattr(arguments, "granularity", None)).__name__ == "PerTensor"
