"""The ``factbook`` backend: country profiles with swapped values, and questions certain by construction.

Real prose, and answers that no model has read before: every short fact of a country is another country's.
"""

import random
from collections.abc import Iterator

from prefixqa import prompts
from prefixqa.document import Document, Pair
from prefixqa.made import Made
from prefixqa.rows import used_tokens
from prefixqa.sources.load import cut
from prefixqa.sources.raw import SourceError
from prefixqa.spread import Strata
from prefixqa.template import SpaceError
from prefixqa.tokens import TokenCounter
from texts import catalogue, profile

NAME = "factbook"
GENERATOR = (
    "factbook-1"  # goes into every row; other text or pairs for one seed need another version
)
ATTEMPTS = 8
LETTERS = 12  # of a token, at most, on average
QUESTION_GUESS = 60  # tokens of the longest user input and its answer, before they are known


def documents(
    tokens: TokenCounter, count: int, questions: int, length: int, seed: int
) -> Iterator[Made]:
    """Documents of several countries each, with their pairs; each fills ``length`` tokens as far as
    sentences go.

    Document ``i`` depends on ``seed``, ``i``, ``length``, ``questions`` and the tokenizer only.

    Raises:
        SpaceError: the length cannot hold that many questions. MissingDataError: no profiles.
    """
    for index in range(count):
        yield _one(tokens, index, questions, length, seed)


def _one(tokens: TokenCounter, index: int, questions: int, length: int, seed: int) -> Made:
    rng = random.Random(f"{NAME} {seed} {index}")
    profiles = catalogue.profiles(f"{seed} {index}")
    rng.shuffle(profiles)
    whole, placed = profile.laid_out(profiles)
    budget = length - tokens.bos - tokens.count(prompts.INTRODUCTION) - QUESTION_GUESS
    for attempt in range(ATTEMPTS):
        try:
            # No tokenizer has tokens of more letters on average, so the rest need not be counted.
            text = cut(whole[: LETTERS * max(1, budget)], budget, tokens)
        except SourceError:
            break
        made = _made(text, placed, index, questions, seed)
        if len(made.pairs) < questions:
            raise SpaceError(
                f"length {length} is too short for questions={questions}: the document holds "
                f"{len(made.pairs)}; make it longer, or ask less",
                len(made.pairs),
            )
        used = used_tokens(made, tokens)
        if used <= length:
            return Made(
                made.document,
                made.pairs,
                meta={"length": length, "seed": seed, "total_tokens": used},
            )
        budget -= used - length + 4 * attempt
    raise SpaceError(f"length {length} is too short for questions={questions}", 0)


def _made(text: str, placed: list[profile.Placed], index: int, questions: int, seed: int) -> Made:
    """The document of a text, with up to ``questions`` pairs spread over its depth."""
    name = f"{NAME}-{seed}-{index:05d}"
    package = catalogue.profiles_package()
    document = Document(name, "Country profiles", text, package.pin, package.licence)
    inside = [each for each in placed if each.end <= len(text)]
    left = profile.told(text, inside)
    rng = random.Random(f"{NAME} {seed} {index} questions")
    strata = Strata(rng, questions, len(text))
    pairs: list[Pair] = []
    while left and len(pairs) < questions:
        taken = strata.take(left, lambda each: each.start)
        left.remove(taken)
        pairs.append(
            Pair(
                question=profile.question(taken.profile, taken.fact),
                answers=(taken.fact.value,),
                type="numeric" if taken.fact.field.numeric else "factual",
                evidence=(document.evidence(taken.start, taken.end),),
                answer_prefix=f" {profile.opening(taken.profile, taken.fact)}",
                checks={"told_once": True},
                provenance={"backend": NAME, "generator": GENERATOR, "seed": seed},
            )
        )
    pairs.sort(key=lambda pair: pair.evidence[0].start)
    return Made(document, tuple(pairs))
