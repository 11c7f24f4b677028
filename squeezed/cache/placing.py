"""Whether the tokens of a forward pass stand behind the fixed context, as their positions tell."""

from __future__ import annotations

import torch

HOW_TO_FEED = (
    "give generate the whole sequence, which begins with the context's ids and is longer than them (or the "
    "user input alone, with an attention_mask that covers the context too)"
)


def require_behind(positions: torch.Tensor | None, real: torch.Tensor | None, context: int) -> None:
    """Refuses tokens that stand inside the fixed context.

    They come from ids that are not the whole sequence (their start is then lost), or that are fed a second
    time.

    Args:
        positions: of the tokens of this pass, ``[B or 1, L]``; ``None``, or of another form (models that read
            images have several for a token): cannot be told.
        real: boolean ``[B, L]``, false for padding, which stands anywhere; ``None``: no padding.
        context: tokens of the fixed context.

    Raises:
        ValueError: so they do; says where they stand and what to give.
    """
    if positions is None or positions.ndim != 2:
        return
    inside = positions < context
    if real is not None:
        inside = inside & real
    if bool(inside.any()):
        first = int(positions.expand_as(inside)[inside].min())
        raise ValueError(
            f"tokens are fed at position {first}, which is inside the fixed context of {context} tokens: it "
            f"would be read twice, or the start of the user input is lost; {HOW_TO_FEED}"
        )


def valid_tokens(mask: torch.Tensor | None) -> torch.Tensor | None:
    """Which query tokens are no padding, boolean ``[B, L]``: padding does not see itself."""
    if mask is None:
        return None
    valid = mask[:, 0].diagonal(mask.shape[3] - mask.shape[2], dim1=1, dim2=2)
    return valid if valid.dtype == torch.bool else valid == 0
