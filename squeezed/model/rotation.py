"""A model's rotary embedding undone, by the model's own function, so that its layout need not be known.

Every layout turns pairs of entries by an angle: the function is linear in (cos, sin), the turn back is that
by (cos, -sin), and the mean turn over several positions is that by the mean (cos, sin).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from squeezed.errors import UnsupportedModelError
from squeezed.model import families

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

FUNCTION = "apply_rotary_pos_emb"


class Rotation:
    """The rotary embedding of the layers that attend to everything.

    Raises:
        UnsupportedModelError: the model has none that can be undone, or has latent attention.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        config = families.text_config(model)
        self.name = type(model).__name__
        if getattr(config, "kv_lora_rank", None):
            raise self._refusal("parts of its keys have no rotary embedding")
        rotary = [each for each in model.base_model.modules() if hasattr(each, "rope_type")]
        rotary.sort(
            key=lambda each: getattr(each, "config", None) is not config
        )  # not another part's
        if not rotary:
            raise self._refusal("it has no rotary embedding")
        self.rotary: Any = rotary[0]

    def _refusal(self, why: str) -> UnsupportedModelError:
        return UnsupportedModelError(
            f"{self.name}: queries or keys before their rotary embedding are asked for, and {why}"
        )

    def _turns(self, first: int, count: int, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """cos and sin ``[1, count, R]`` in float32 of the positions from ``first`` on."""
        places = torch.arange(first, first + count, device=like.device)[None]
        by_layer = "layer_type" in inspect.signature(self.rotary.forward).parameters
        kind = {"layer_type": "full_attention"} if by_layer else {}
        return tuple(each.float() for each in self.rotary(like.float(), places, **kind))

    def _apply(
        self, module: torch.nn.Module, states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> torch.Tensor:
        """The model's own rotation of ``[heads, L, D]``."""
        function: Callable[..., Any] | None = getattr(
            sys.modules[type(module).__module__], FUNCTION, None
        )
        if function is None:
            raise self._refusal(f"{type(module).__module__} has no {FUNCTION}")
        size = cos.shape[-1]
        try:
            return self._turned(function, states[None], cos, sin)[0]
        except RuntimeError:  # it is given the part that is turned alone, which comes first
            if size >= states.shape[-1]:
                raise
        turned = self._turned(function, states[None, ..., :size], cos, sin)[0]
        return torch.cat([turned, states[..., size:]], dim=-1)

    def _turned(
        self,
        function: Callable[..., Any],
        states: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
    ) -> torch.Tensor:
        """What the function makes of ``[1, heads, L, R]``: most take q and k, Gemma's newer ones x."""
        names = tuple(inspect.signature(function).parameters)
        turned: torch.Tensor
        if names[:4] == ("q", "k", "cos", "sin"):
            turned, _ = function(states, states, cos, sin)
        elif names[1:3] == ("cos", "sin"):
            turned = function(states, cos, sin)
        else:
            raise self._refusal(f"its {FUNCTION} takes {', '.join(names)}")
        return turned

    def undone(self, module: torch.nn.Module, states: torch.Tensor, first: int) -> torch.Tensor:
        """States before the rotary embedding.

        Args:
            module: the attention module that turned them. states: ``[heads, L, D]``, of the positions from
                ``first`` on.

        Raises:
            UnsupportedModelError: the turn back does not undo the turn.
        """
        wide = states.float()
        cos, sin = self._turns(first, states.shape[1], wide)
        length = cos.square() + sin.square()  # not 1 where the embedding is scaled as well
        plain = self._apply(module, wide, cos / length, -sin / length)
        again = self._apply(module, plain, cos, sin)
        if not torch.allclose(again, wide, rtol=1e-3, atol=1e-3 * float(wide.abs().max())):
            raise self._refusal("its turn back does not undo it")
        return plain

    def require_undone(
        self, module: torch.nn.Module, first: torch.Tensor, later: torch.Tensor, place: int
    ) -> None:
        """Refuses a layer that has no rotary embedding, or another one.

        Args:
            module: its attention module. first, later: states of one token ``[heads, 1, D]``, at positions 0
                and ``place``, which are to be the same before the rotary embedding.

        Raises:
            UnsupportedModelError: so it is.
        """
        one, other = self.undone(module, first, 0), self.undone(module, later, place)
        if not torch.allclose(one, other, rtol=0.02, atol=0.02 * float(one.abs().max())):
            raise self._refusal(f"{type(module).__name__} does not turn them as the others do")

    def turned(self, module: torch.nn.Module, states: torch.Tensor, place: int) -> torch.Tensor:
        """States before the rotary embedding ``[heads, L, D]``, all turned as those of one position are.

        The position may lie before the first one.
        """
        cos, sin = self._turns(place, 1, states)
        return self._apply(module, states.float(), cos, sin)

    def mean_turn(self, module: torch.nn.Module, size: int, first: int, count: int) -> torch.Tensor:
        """The mean turn over ``count`` positions from ``first`` on, as a matrix ``[D, D]``: it takes a vector
        before the rotary embedding to its expectation behind it."""
        unit = torch.eye(size, device=self._device(module))[None]
        cos, sin = (each.mean(1, keepdim=True) for each in self._turns(first, count, unit))
        return self._apply(module, unit, cos, sin)[0].T

    @staticmethod
    def _device(module: torch.nn.Module) -> torch.device:
        return next(module.parameters()).device
