"""A backend of the kernels: PyTorch over the kept rows alone, gathered head by head.

A backend is a module with the operations of ``squeezed_kernels.reference``, which is the specification. This
one brings an ``attend_groups`` of its own and takes the others from there. See ``own_backend.py``.
"""

import torch
from squeezed_kernels import reference
from squeezed_kernels.reference import attend, lookup, merge

__all__ = ["attend", "attend_groups", "children", "lookup", "merge"]


def children(keep: torch.Tensor, offsets: torch.Tensor, total: int | None = None) -> torch.Tensor:
    """As the reference. ``total``, which is ``offsets[:, -1]``, spares a GPU the wait for it."""
    return reference.children(keep, offsets)


def attend_groups(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    keep: torch.Tensor,
    offsets: torch.Tensor | None,
    scale: float,
    *,
    softcap: float | None = None,
    block: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """As the reference; a single block of one user input without a cap reads the kept rows alone."""
    if softcap is not None or keep.shape[2] > 1 or len(query) > 1:
        return reference.attend_groups(
            query, keys, values, keep, offsets, scale, softcap=softcap, block=block
        )
    rows = (keep if offsets is None else reference.children(keep, offsets))[0, :, 0]  # [H, M]
    window = rows.new_ones(len(rows), keys.shape[1] - rows.shape[1])
    kept = torch.cat([rows, window], dim=1)
    outputs, sums = [], []
    for grouped, head_keys, head_values, here in zip(
        reference.group_heads(query, len(keys))[0].float(), keys, values, kept, strict=True
    ):
        logits = scale * grouped @ head_keys[here].float().T  # [G, L, kept]
        outputs.append(logits.softmax(-1) @ head_values[here].float())
        sums.append(logits.logsumexp(-1))
    return torch.cat(outputs)[None], torch.cat(sums)[None]
