"""The original's way to find a sample's size (``compat=true``): in steps, from one probe for all samples.

It finds the largest size that fits for one sample of its own, starts every sample at that size, and takes a
whole step off as long as it is too long. So samples are shorter than they could be.
"""

from rows.tokens import TokenCounter
from ruler.families.sample import Draw, Sample
from ruler.fit import LengthError, fit, fitting_size, longest
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


def common_size(task: Task, draw: Draw, counter: TokenCounter, room: int, step: int) -> int:
    """The size that all samples start from.

    Args:
        draw: of the probe. room: tokens of context and user input.
    """
    if isinstance(task, FweTask):
        size = room // task.word_length  # words; the original takes a letter for a token here
        while _tokens(draw, size, counter) < room:
            size += step
        return size - step
    try:
        return max(fitting_size(draw, counter, room), step)
    except LengthError:
        return step


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
