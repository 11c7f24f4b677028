"""Reading rows and doing next to nothing with them: what memory alone allows."""

from dataclasses import dataclass

import numba
import numpy as np
import torch
from squeezed_kernels.cpu.tile import prefetch_rows


@numba.njit(nogil=True, fastmath=True)
def _read(keys: np.ndarray, values: np.ndarray, runs: np.ndarray) -> np.float32:
    total = np.float32(0)
    for table in (keys, values):
        for number in range(len(runs)):
            head, start, end = runs[number]
            # As attention of one query does: where the next run begins, the processor cannot guess.
            if number + 1 < len(runs):
                prefetch_rows(table, runs[number + 1, 0], runs[number + 1], 1, 2)
            # A run of its own, so that the loop over it is made of vectors.
            run = table[head, start:end].reshape(-1)
            for place in range(len(run)):
                total += run[place]
    return total


@dataclass(frozen=True)
class Reading:
    """Rows of kept groups, to be read group by group.

    Attributes:
        keys, values: float32 ``[H, N, D]``. runs: int64 ``[R, 3]``, of each its head, first row and end.
    """

    keys: np.ndarray
    values: np.ndarray
    runs: np.ndarray

    @classmethod
    def of(
        cls, keys: torch.Tensor, values: torch.Tensor, keep: torch.Tensor, offsets: torch.Tensor
    ) -> "Reading":
        """``keep``: bool ``[H, C]``. ``offsets``: int ``[H, C + 1]``, in rows."""
        heads, groups = keep.nonzero(as_tuple=True)
        ends = offsets[heads, groups], offsets[heads, groups + 1]
        runs = torch.stack([heads, *(each.long() for each in ends)], dim=1)
        return cls(keys.numpy(), values.numpy(), runs.numpy())

    def sum(self) -> float:
        """The sum of all numbers in those rows."""
        return float(_read(self.keys, self.values, self.runs))
