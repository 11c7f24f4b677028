"""Reading rows and doing next to nothing with them: what memory alone allows."""

import numba
import numpy as np
import torch
from squeezed_kernels.cpu.tile import prefetch_rows


@numba.njit(nogil=True, fastmath=True)
def _read(table: np.ndarray, head: int, starts: np.ndarray, ends: np.ndarray) -> np.float32:
    total = np.float32(0)
    for number in range(len(starts)):
        if number + 1 < len(starts):  # as the loops of attention do
            prefetch_rows(table, head, starts, number + 1, number + 2)
        # A run of its own, so that the loop over it is made of vectors.
        run = table[head, starts[number] : ends[number]].reshape(-1)
        for place in range(len(run)):
            total += run[place]
    return total


def read(tables: tuple[torch.Tensor, ...], keep: torch.Tensor, offsets: torch.Tensor) -> float:
    """The sum of all numbers in the rows of kept groups, read group by group.

    Args:
        tables: float32 ``[H, N, D]`` each. keep: bool ``[H, C]``. offsets: int ``[H, C + 1]``, in rows.
    """
    total = 0.0
    for head, kept in enumerate(keep):
        starts, ends = (
            each[kept].long().numpy() for each in (offsets[head, :-1], offsets[head, 1:])
        )
        for table in tables:
            total += float(_read(table.numpy(), head, starts, ends))
    return total
