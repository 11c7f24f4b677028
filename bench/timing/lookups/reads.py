"""Reading rows and doing next to nothing with them: what memory alone allows."""

import numba
import numpy as np
import torch


@numba.njit(nogil=True, fastmath=True, cache=True)
def _read(rows: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.float32:
    total = np.float32(0)
    for run in range(len(starts)):
        for place in range(starts[run], ends[run]):
            total += rows[place]
    return total


def read(tables: tuple[torch.Tensor, ...], keep: torch.Tensor, offsets: torch.Tensor) -> float:
    """The sum of all numbers in the rows of kept groups, read group by group.

    Args:
        tables: float32 ``[H, N, D]`` each. keep: bool ``[H, C]``. offsets: int32 ``[H, C + 1]``, in rows.
    """
    total = 0.0
    for head, kept in enumerate(keep):
        size = tables[0].shape[2]
        starts = (offsets[head, :-1][kept].long() * size).numpy()
        ends = (offsets[head, 1:][kept].long() * size).numpy()
        for table in tables:
            total += float(_read(table[head].reshape(-1).numpy(), starts, ends))
    return total
