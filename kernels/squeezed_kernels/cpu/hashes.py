"""The inner loop of methods that hash: in how many tables two codes are the same."""

from squeezed_kernels.cpu.jit import exact

NEAR = 4096  # keys that are counted together: their counts stay in the processor's nearest cache


@exact
def collisions(asked, stored, found):
    """``found[q, m]``: tables t with ``asked[q, t] == stored[t, m]``; int16, found is ``[Q, M]``."""
    queries, tables = asked.shape
    keys = stored.shape[1]
    for first in range(0, keys, NEAR):
        last = min(first + NEAR, keys)
        for q in range(queries):
            counts = found[q, first:last]
            counts[:] = 0
            for t in range(tables):
                code = asked[q, t]
                row = stored[t, first:last]
                for m in range(len(counts)):
                    counts[m] += row[m] == code
