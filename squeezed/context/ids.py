"""The token ids of a fixed context."""

from collections.abc import Sequence
from typing import Any

import torch


def check_ids(context_ids: torch.Tensor | Sequence[int], window: int) -> torch.Tensor:
    """The ids as int64 ``[N]`` on the CPU.

    Raises:
        ValueError: a batch of several contexts, a window below 1, or N not larger than the window.
    """
    ids = torch.as_tensor(context_ids, dtype=torch.int64).cpu()
    if ids.ndim == 2 and ids.shape[0] == 1:
        ids = ids[0]
    if ids.ndim != 1:
        raise ValueError(
            f"context_ids has shape {tuple(ids.shape)}; expected [N] or [1, N]: one context"
        )
    if window < 1:
        raise ValueError(f"window is {window}; expected at least 1 token")
    if len(ids) <= window:
        raise ValueError(
            f"the fixed context has {len(ids)} tokens, not more than the observation window of {window}; "
            "give a longer context or a smaller window"
        )
    return ids


def require_known(ids: torch.Tensor, config: Any, name: str) -> None:
    """Checks ids against a model's vocabulary: beyond it, an embedding reads what is not there.

    Args:
        config: the model's. name: of the argument, for the message.

    Raises:
        ValueError: an id is none of the vocabulary's.
    """
    size = getattr(config.get_text_config(decoder=True), "vocab_size", None)
    if not isinstance(size, int) or not ids.numel():
        return
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= size:
        raise ValueError(
            f"{name} holds the token id {low if low < 0 else high}; the model's vocabulary has ids 0 to "
            f"{size - 1}: is it another model's tokenizer?"
        )
