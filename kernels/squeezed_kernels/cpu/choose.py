"""The best groups of each head, without sorting them all."""

import numpy as np

from squeezed_kernels.cpu.jit import exact, inner
from squeezed_kernels.cpu.numbers import NEG_INF

BINS = 256  # that scores are thrown into; the one in which the cut lies is looked at again
FEW = 24  # groups that are sorted, in place of throwing them into bins once more


@inner
def _bin_of(score, low, scale):
    """The bin of a score, not falling with it; what is above the highest finite score is in the last."""
    place = (np.float64(score) - low) * scale
    return np.int64(place) if place < BINS - 1 else BINS - 1


@inner
def _narrow(scores, counts, members, found, before, most, taken):
    """Keeps of ``members[:found]`` those of the bin in which the cut lies, in their order.

    ``before``: keys in better groups; ``most``: keys of which a group that goes beyond them may be the last.
    Groups of better bins are taken. Returns how many members are left, and the keys before them; all of them
    if their finite scores are equal.
    """
    low, high = np.inf, -np.inf
    for i in range(found):
        score = np.float64(scores[members[i]])
        if score < np.inf:
            low, high = min(low, score), max(high, score)
    if not low < high:
        return found, before
    scale = BINS / (high - low)
    held = np.zeros(BINS, np.int64)
    for i in range(found):
        held[_bin_of(scores[members[i]], low, scale)] += counts[members[i]]
    cut = BINS - 1
    while cut > 0 and before + held[cut] <= most:
        before += held[cut]
        cut -= 1
    left = 0
    for i in range(found):
        group = members[i]
        place = _bin_of(scores[group], low, scale)
        if place > cut:
            taken[group] = True
        elif place == cut:
            members[left] = group
            left += 1
    return left, before


@inner
def _sort(scores, members, found):
    """Sorts ``members[:found]`` best first; of equal ones the first stays first."""
    for i in range(1, found):
        group = members[i]
        j = i
        while j > 0 and scores[members[j - 1]] < scores[group]:
            members[j] = members[j - 1]
            j -= 1
        members[j] = group


@inner
def _choose(scores, counts, rows, least, members, taken):
    """As ``keep_best`` for one head; ``members``: room for as many numbers as there are groups."""
    found = 0
    for group in range(len(scores)):
        taken[group] = False
        if scores[group] > NEG_INF:
            members[found] = group
            found += 1
    # Groups that end within these are taken for certain; no group that begins beyond them is.
    most, before, left = max(rows, least), np.int64(0), -1
    while found > FEW and found != left:
        left = found
        found, before = _narrow(scores, counts, members, found, before, most, taken)
    if found <= FEW:
        _sort(scores, members, found)
    else:  # equal, but for some that are infinite: those first
        front = 0
        order = members[:found].copy()
        for infinite in (True, False):
            for group in order:
                if (scores[group] == np.inf) == infinite:
                    members[front] = group
                    front += 1
    for i in range(found):
        group = members[i]
        size = counts[group]
        if not (before + size / 2 <= rows or before < least or (i == 0 and before == 0)):
            return
        taken[group] = True
        before += size


@exact
def keep_best(scores, counts, rows, least, out):
    """``reference.keep_best`` of ``scores [B, H, T, C]``, ``counts [H, C]`` and ``rows [B, H, T]``, into
    ``out``."""
    batch, heads, blocks, groups = scores.shape
    members = np.empty(groups, np.int64)
    for b in range(batch):
        for h in range(heads):
            for t in range(blocks):
                _choose(scores[b, h, t], counts[h], rows[b, h, t], least, members, out[b, h, t])
