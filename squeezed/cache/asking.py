"""What ``model.generate`` is about to do with a cache that it was given, and whether that is right.

``generate`` tells a cache nothing of the ids that it got. It asks for the cache's length and cuts that many
ids off the front, whatever they are: a user input that was given alone loses its start, and no error comes.
No hook of transformers or PyTorch sees the whole ids and the cache together: what reaches the model is cut
already, and looks as it should. The ids and settings are there at that moment as variables of the caller,
and here they are read. Where ``generate`` runs and they were not found, the first forward pass is refused. A
loop of one's own has no such ids; what its forward passes show is checked in ``squeezed.cache.placing``.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import torch

from squeezed.cache.placing import HOW_TO_FEED
from squeezed.errors import UnsupportedModelError
from squeezed.model import positions, rope

_CALLER = ("transformers.generation.utils", "_prefill")


def require_right(caller: FrameType | None, context: torch.Tensor, seen: int) -> bool:
    """Refuses a ``generate`` that would return other tokens than for the whole sequence, before it computes.

    Returns:
        Whether it was ``generate`` that asked, and its ids were found, and right.

    Args:
        caller: who asks for the cache's length; anyone but ``generate`` passes.
        context: ids of the fixed context ``[N]``. seen: tokens that the cache holds, N included.

    Raises:
        ValueError: ids that are not those of the context and what follows, or settings that feed it twice.
        UnsupportedModelError: the model's RoPE would rotate the context's keys otherwise (and transformers
        would
            drop the cache, without a word).
    """
    if caller is None or (caller.f_globals.get("__name__"), caller.f_code.co_name) != _CALLER:
        return False
    local = caller.f_locals
    model, ids, settings = (local.get(name) for name in ("self", "input_ids", "generation_config"))
    given: dict[str, Any] = local.get("model_kwargs") or {}
    if not isinstance(ids, torch.Tensor) or settings is None or model is None:
        return False
    if given.get("use_cache") is False:
        raise ValueError(
            "use_cache=False feeds the fixed context again at every token; leave it on"
        )
    if given.get("inputs_embeds") is not None:
        _require_longer(given["inputs_embeds"].shape[1], seen, "inputs_embeds")
    else:
        mask = given.get("attention_mask")
        covered = mask.shape[1] if mask is not None else getattr(settings, "_mask_length", None)
        _require_ids(ids, covered, context, seen)
    config = model.config.get_text_config(decoder=True)
    longest = max(
        ids.shape[1], int(settings.max_length or 0) - 1
    )  # the last token is not fed again
    rope.require_one_length(config, len(context), longest)
    positions.require_within(config, longest)
    return True


def require_seen() -> None:
    """Refuses a first forward pass inside a ``generate`` whose ids were not found.

    Raises:
        UnsupportedModelError: so it is; ids of another beginning would be answered wrongly, and silently.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == _CALLER[0]:
            import transformers

            raise UnsupportedModelError(
                f"generate of transformers {transformers.__version__} asks a cache in a way that is not "
                f"known here (by {frame.f_code.co_name}), so its ids cannot be compared with the fixed "
                "context; use squeezed.generate"
            )
        frame = frame.f_back


def _require_ids(ids: torch.Tensor, covered: int | None, context: torch.Tensor, seen: int) -> None:
    """``covered``: tokens that the attention mask is over, which tells ``generate`` what the ids are."""
    tokens = ids.shape[1]
    if covered != tokens:  # then nothing is cut off: only what is new may be given
        if covered is not None and covered != seen + tokens:
            raise ValueError(
                f"the attention_mask covers {covered} tokens; with {seen} in the cache and {tokens} given it "
                f"is {seen + tokens}"
            )
        return
    _require_longer(tokens, seen, "input_ids")
    if not bool((ids[:, : len(context)].cpu() == context).all()):
        raise ValueError(
            f"input_ids do not begin with the {len(context)} ids of the fixed context; {HOW_TO_FEED}"
        )


def _require_longer(tokens: int, seen: int, name: str) -> None:
    if tokens <= seen:
        raise ValueError(
            f"{name} has {tokens} tokens, and the cache already holds {seen}: none is left to feed; "
            f"{HOW_TO_FEED}"
        )
