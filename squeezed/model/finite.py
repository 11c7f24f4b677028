"""Numbers that are none: said where they first appear, because everything behind them looks like an answer.

A NaN among logits makes the largest one token 0, in every step and with every method: a score of 0 that
nothing tells from a model that knows nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from squeezed_kernels import all_finite

from squeezed.errors import NonFiniteError
from squeezed.model import families
from squeezed.model.states import AnyLayer, HybridLayer, RecurrentLayer

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

ADVICE = "use another dtype (float32 can hold the most), or another checkpoint"


def require_finite_states(model: PreTrainedModel, states: Sequence[AnyLayer]) -> None:
    """Checks what a prefill computed.

    Raises:
        NonFiniteError: keys, values or a state are not finite; names the first layer, and a weight if it is
            to blame.
    """
    for number, state in enumerate(states):
        if not all(map(all_finite, _tensors(state))):
            raise NonFiniteError(
                f"what layer {number} of {len(states)} keeps of the fixed context is not finite"
                f"{_blame(model)}; {ADVICE}"
            )


def finite_logits(logits: torch.Tensor) -> bool:
    """Whether logits ``[B, V]`` can be chosen from: no NaN, and a largest one; some may be minus infinity."""
    return bool(logits.amax(-1).isfinite().all())


def non_finite_logits(model: PreTrainedModel, step: int, layer: int | None) -> NonFiniteError:
    """The error of logits that are not finite, to raise.

    Args:
        step: 0 for the user input, n for the n-th new token. layer: the first decoder layer whose output is
            not finite; None if all are.
    """
    when = "after the user input (step 0)" if step == 0 else f"in step {step}, after a new token"
    where = "all layers are finite, the head is not" if layer is None else f"first in layer {layer}"
    return NonFiniteError(
        f"the logits {when} are not finite ({where}{_blame(model)}); it would answer token 0: {ADVICE}"
    )


@contextlib.contextmanager
def first_broken_layer(model: PreTrainedModel) -> Iterator[list[int]]:
    """A list that holds, after passes inside the block, the first decoder layer with a non-finite output."""
    found: list[int] = []

    def look(number: int, output: Any) -> None:
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        if not found and not all_finite(hidden[:, -1]):
            found.append(number)

    layers = families.decoder_layers(model)
    hooks = [
        layer.register_forward_hook(lambda _, __, output, number=number: look(number, output))
        for number, layer in enumerate(layers)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _tensors(state: AnyLayer) -> list[torch.Tensor]:
    if isinstance(state, HybridLayer):
        return [*_tensors(state.attention), *_tensors(state.state)]
    if isinstance(state, RecurrentLayer):
        return [*state.conv.values(), *state.recurrent.values()]
    return [state.keys, state.values]


def _blame(model: PreTrainedModel) -> str:
    """The first weight that is not finite, in words; nothing if all are."""
    for name, weight in model.named_parameters():
        if weight.is_floating_point() and not all_finite(weight):
            return f"; the weight {name} is not"
    return ""
