"""Real documents in a set: which are taken, and what fits into the length."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from prefixqa import prompts
from prefixqa.config import PrefixqaConfig
from prefixqa.made import Made, Rejected
from prefixqa.rows import used_tokens
from prefixqa.sources.load import Filter, Loaded, load
from prefixqa.tokens import TokenCounter

QUESTION_ROOM = 400  # tokens kept free for the longest user input and its answer
TOO_LONG = ("cut", "skip")


def check_filter(settings: PrefixqaConfig) -> None:
    """
    Raises:
        ValueError: no source, or a rule that cannot work.
    """
    if settings.source is None:
        raise ValueError(
            f"source: the {settings.backend} backend needs documents; give source=FOLDER, a file, "
            "arxiv:ID,ID, or text:NAME"
        )
    if settings.min_tokens < 0:
        raise ValueError(f"min_tokens is {settings.min_tokens}; expected at least 0")
    if settings.too_long not in TOO_LONG:
        raise ValueError(f"too_long is {settings.too_long!r}; expected {' or '.join(TOO_LONG)}")
    if not 0 < settings.near_duplicates <= 1:
        raise ValueError(
            f"near_duplicates is {settings.near_duplicates}; expected more than 0, at most 1"
        )
    for name in ("published_after", "published_before"):
        given = getattr(settings, name)
        try:
            date.fromisoformat(given or "2000-01-01")
        except ValueError:
            raise ValueError(f"{name} is {given!r}; expected a date like 2024-11-30") from None
    if settings.length <= QUESTION_ROOM + settings.min_tokens:
        raise ValueError(
            f"length is {settings.length}; expected more than min_tokens={settings.min_tokens} and "
            f"the {QUESTION_ROOM} tokens that are kept free for question and answer"
        )


def load_documents(settings: PrefixqaConfig, tokens: TokenCounter) -> Loaded:
    """The documents of the settings' source. Errors as ``prefixqa.sources.load.load``."""
    fixed = tokens.bos + tokens.count(prompts.INTRODUCTION) + QUESTION_ROOM
    rules = Filter(
        min_tokens=settings.min_tokens,
        max_tokens=settings.length - fixed,
        cut=settings.too_long == "cut",
        near_duplicates=settings.near_duplicates,
        after=settings.published_after,
        before=settings.published_before,
        licence=settings.licence,
    )
    most = [each for each in (settings.documents, settings.limit) if each]
    cache = Path(settings.openai.cache or Path(settings.out) / ".cache").expanduser()
    source = str(settings.source)
    return load(source, rules, tokens, cache, min(most, default=0), str(settings.seed))


def fitted(made: Made, tokens: TokenCounter, length: int) -> Made:
    """The document with the pairs whose rows fit into ``length``; the others are rejected."""
    good, rejected = [], list(made.rejected)
    for pair in made.pairs:
        used = used_tokens(replace(made, pairs=(pair,)), tokens)
        if used <= length:
            good.append(pair)
        else:
            shown = {"question": pair.question, "answer": pair.answers[0]}
            detail = f"its row takes {used} tokens, length is {length}"
            rejected.append(Rejected(made.document.id, "length", detail, shown))
    meta = made.meta | {"length": length}
    if good:
        meta["total_tokens"] = used_tokens(replace(made, pairs=tuple(good)), tokens)
    return replace(made, pairs=tuple(good), rejected=tuple(rejected), meta=meta)
