"""The largest haystack that fits, found without tokenizing the whole text at each step."""

from collections.abc import Callable

from rows.tokens import TokenCounter
from ruler.families.sample import Draw, Sample

PROBE_UNITS = 8
MAX_STEPS = 64  # of a size search: far more than halving any size needs


class LengthError(ValueError):
    """The length cannot hold a sample. ``needed`` is what its smallest form takes, in tokens."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message, needed)
        self.needed = needed

    def __str__(self) -> str:
        return str(self.args[0])


def fit(draw: Draw, counter: TokenCounter, room: int) -> tuple[Sample, int]:
    """The largest sample whose context and longest user input take at most ``room`` tokens.

    The size is found on sums of the parts' tokens. What is laid out is counted as a whole, and if
    the two differ (the tokenizer has tokens across the parts' borders), the search is done again
    on whole texts.

    Returns:
        The sample and the tokens of its context.

    Raises:
        LengthError: the smallest sample is too long already.
    """
    size = fitting_size(draw, counter, room)
    sample = draw.lay_out(size)
    return sample, counter.count(sample.context)


def fitting_size(draw: Draw, counter: TokenCounter, room: int) -> int:
    """The size of that sample, in units of its haystack; arguments and errors as ``fit``."""
    maximum = getattr(draw, "maximum_size", lambda: None)()

    def by_parts(size: int) -> int:
        return draw.tokens(size, counter) + longest(draw, size, counter)

    def as_a_whole(size: int) -> int:
        return counter.count(draw.lay_out(size).context) + longest(draw, size, counter)

    try:
        size = _largest(draw, by_parts, counter, room, maximum)
    except LengthError:
        size = draw.minimum_size()
        if counter.additive:
            raise
    sample = draw.lay_out(size)
    tokens = counter.count(sample.context)
    if tokens != draw.tokens(size, counter):
        size = largest_fitting(as_a_whole, draw.minimum_size(), room, maximum)
        sample = draw.lay_out(size)
        tokens = counter.count(sample.context)
    if tokens + longest(draw, size, counter) > room:
        raise LengthError("too long at the smallest size", tokens + longest(draw, size, counter))
    return size


def _largest(
    draw: Draw,
    by_parts: Callable[[int], int],
    counter: TokenCounter,
    room: int,
    maximum: int | None,
) -> int:
    """The largest size that fits by parts, found on rough sums first where the draw has them."""
    rough = getattr(draw, "rough_tokens", None)
    if rough is None:
        return largest_fitting(by_parts, draw.minimum_size(), room, maximum)
    minimum = draw.minimum_size()

    def roughly(size: int) -> int:
        return int(rough(size, counter)) + longest(draw, size, counter)

    try:
        size = largest_fitting(roughly, minimum, room, maximum)
    except LengthError:
        size = minimum
    used = by_parts(size)
    if used <= room:
        while size != maximum and by_parts(size + 1) <= room:
            size += 1
        return size
    while used > room and size > minimum:
        size -= 1
        used = by_parts(size)
    if used > room:
        raise LengthError(f"{used} tokens at the smallest size, {room} wanted", used)
    return size


def longest(draw: Draw, size: int, counter: TokenCounter) -> int:
    """Tokens of the longest user input of a sample."""
    return max(
        counter.user(question.text, question.answer_prefix) for question in draw.questions(size)
    )


def largest_fitting(
    used_by: Callable[[int], int], minimum: int, budget: int, maximum: int | None = None
) -> int:
    """The largest size whose ``used_by(size)`` is at most ``budget``, in at most MAX_STEPS steps.

    Guesses by the rate of growth seen so far and falls back to halving. The size that is returned
    was itself measured, so it fits even where ``used_by`` does not grow evenly.

    Raises:
        LengthError: the minimum size is already too long.
    """
    fits, used = minimum, used_by(minimum)
    if used > budget:
        raise LengthError(f"{used} tokens at the smallest size, {budget} wanted", used)
    first, too_long = used, None if maximum is None else maximum + 1
    # A small first probe: a wrong idea of the rate must not cost a text of many times the budget.
    guess = minimum + PROBE_UNITS if too_long is None else min(minimum + PROBE_UNITS, too_long - 1)
    if guess <= minimum:
        return minimum
    for step in range(MAX_STEPS):
        tokens = used_by(guess)
        rate = max((tokens - first) / (guess - minimum), 0.1)
        if tokens <= budget:
            fits, used = guess, tokens
        else:
            too_long = guess
        guess = fits + max(1, int((budget - used) / rate))
        if too_long is not None:
            if too_long - fits == 1:
                break
            # Every third step halves, so that a bad rate cannot make the search creep.
            guess = min(guess, too_long - 1) if step % 3 < 2 else (fits + too_long) // 2
    return fits
