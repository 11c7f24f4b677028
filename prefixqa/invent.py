"""The ``template`` backend: documents of ``prefixqa.template`` at an exact length in tokens."""

import random
from collections.abc import Iterator
from dataclasses import replace

from prefixqa import prompts
from prefixqa.made import Made
from prefixqa.rows import used_tokens
from prefixqa.template import GENERATOR, MIX, SpaceError, draw_document
from prefixqa.tokens import TokenCounter

NAME = "template"
DOCUMENTS = 20  # where the settings do not say
ATTEMPTS = 12
NEAR = 0.99  # share of the length that is near enough
QUESTION_GUESS = 150  # tokens of the longest user input and its answer, before they are known


def invent(
    tokens: TokenCounter, documents: int, questions: int, length: int, seed: int
) -> Iterator[Made]:
    """Invented documents with their pairs, each filling ``length`` tokens as far as sentences go.

    Document ``i`` depends on ``seed``, ``i``, ``length``, ``questions`` and the tokenizer only.

    Raises:
        SpaceError: the length cannot hold that many questions.
    """
    for index in range(documents):
        yield _one(tokens, index, questions, length, seed)


def _one(tokens: TokenCounter, index: int, questions: int, length: int, seed: int) -> Made:
    budget = length - tokens.bos - tokens.count(prompts.INTRODUCTION) - QUESTION_GUESS
    best: tuple[int, Made] | None = None
    for attempt in range(ATTEMPTS):
        try:
            drawn = draw_document(
                random.Random(f"prefixqa {seed} {index}"),
                budget,
                questions,
                tokens.count,
                MIX,
                name=f"{NAME}-{seed}-{index:05d}",
            )
        except SpaceError as error:
            if best:
                break
            raise SpaceError(
                f"length {length} is too short for questions={questions}: {error}", error.held
            ) from None
        provenance = {"backend": NAME, "generator": GENERATOR, "seed": seed}
        pairs = tuple(replace(pair, provenance=provenance) for pair in drawn.pairs)
        made = Made(drawn.document, pairs)
        used = used_tokens(made, tokens)
        if used <= length and (best is None or used > best[0]):
            best = used, made
        if NEAR * length <= used <= length:
            break
        # Other questions may be drawn from a longer or shorter document, so the change in size is
        # not exactly the change in budget; a little less each time ends the back and forth.
        budget += length - used - 4 * attempt
    if best is None:
        raise SpaceError(f"length {length} is too short for questions={questions}", 0)
    used, made = best
    return replace(made, meta={"length": length, "seed": seed, "total_tokens": used})
