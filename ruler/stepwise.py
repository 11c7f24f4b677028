"""The original's way to find a sample's size (``compat=true``): in steps, from one probe for all samples.

It finds a size by halving, with a sample of its own for each try, starts every sample at that size, and takes
a whole step off as long as it is too long. So samples are shorter than they could be, by up to a step.
"""

from collections.abc import Callable

from rows.tokens import TokenCounter
from ruler.families.sample import Draw, Sample
from ruler.fit import fit, longest
from ruler.tasks import FweTask, NiahTask, Task

SHORT = 4096  # tokens; below, steps are smaller
PROBE = "probe"  # in place of a sample's number


def step_of(task: Task, haystack: str | None, length: int) -> int:
    """The original's step, in units of the family's haystack.

    Args:
        haystack: of a needle task, as it is laid out.
    """
    if isinstance(task, NiahTask) and haystack not in ("noise", "needle"):
        return 500  # words of an essay
    return {
        "niah": 25 if length >= SHORT else 5,
        "vt": 10 if length >= SHORT else 5,
        "cwe": 10,
        "qa": 10,
        "fwe": max(1, (length - task.max_new_tokens) // 32),
    }[task.family]


def common_size(
    task: Task, draw: Callable[[int], Draw], counter: TokenCounter, room: int, step: int
) -> int:
    """The size that all samples start from.

    Args:
        draw: a sample for a size; the original draws another one for each size that it tries, so a short one
            may pass where most would not.
        room: tokens of context and user input.
    """

    def tokens(size: int) -> int:
        drawn = draw(size)
        size = max(size, drawn.minimum_size())
        most = getattr(drawn, "maximum_size", lambda: size)()
        return _tokens(drawn, min(size, most), counter)

    if isinstance(task, FweTask):
        size = room // task.word_length  # words; the original takes a letter for a token here
        while tokens(size) < room:
            size += step
        return size - step
    low, high = step, max(3 * room * step // tokens(step), 2 * step)
    found = step
    while low <= high:
        middle = (low + high) // 2
        if tokens(middle) <= room:
            found, low = middle, middle + 1
        else:
            high = middle - 1
    return found


def fit_stepwise(
    draw: Draw, counter: TokenCounter, room: int, size: int, step: int
) -> tuple[Sample, int]:
    """The sample at the first of ``size``, ``size - step``, ... that fits; arguments as ``fit``.

    Where another step would leave nothing, the original never ends; then it is the largest that fits.

    Raises:
        LengthError: the smallest sample is too long already.
    """
    while size >= max(draw.minimum_size(), 1):
        sample = draw.lay_out(size)
        tokens = counter.count(sample.context)
        if tokens + longest(draw, size, counter) <= room:
            return sample, tokens
        size -= step
    return fit(draw, counter, room)


def _tokens(draw: Draw, size: int, counter: TokenCounter) -> int:
    """Tokens of context and user input, all counted."""
    return counter.count(draw.lay_out(size).context) + longest(draw, size, counter)
