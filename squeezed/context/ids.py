"""The token ids of a fixed context."""

from collections.abc import Sequence

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
