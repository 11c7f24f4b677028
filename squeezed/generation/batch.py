"""User inputs as a batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

UserInputs = torch.Tensor | Sequence[int] | Sequence[torch.Tensor] | Sequence[Sequence[int]]


@dataclass(frozen=True)
class Batch:
    """User inputs padded on the left to one length L.

    Attributes:
        ids: int64 ``[B, L]``. real: boolean ``[B, L]``, false for padding.
    """

    ids: torch.Tensor
    real: torch.Tensor


def left_padded(question_ids: UserInputs) -> Batch:
    """One or several user inputs as a batch.

    Raises:
        ValueError: no user input, an empty one, or ids that are not one row each.
    """
    several = isinstance(question_ids, Sequence) and any(
        isinstance(each, (torch.Tensor, Sequence)) for each in question_ids
    )
    rows = (
        [torch.as_tensor(each, dtype=torch.int64).cpu() for each in question_ids]
        if several
        else [torch.as_tensor(question_ids, dtype=torch.int64).cpu()]
    )
    rows = [row[0] if row.ndim == 2 and row.shape[0] == 1 else row for row in rows]
    for row in rows:
        if row.ndim != 1 or len(row) < 1:
            raise ValueError(
                f"question_ids has shape {tuple(row.shape)}; expected [L] or [1, L] with L >= 1, or a list "
                "of such for a batch"
            )
    longest = max(len(row) for row in rows)
    ids = torch.stack([torch.nn.functional.pad(row, (longest - len(row), 0)) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    real = torch.arange(longest) >= longest - lengths[:, None]
    return Batch(ids, real)
