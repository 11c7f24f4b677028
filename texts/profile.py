"""A country's profile as text, and the questions that it answers for certain."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from texts.factbook import Fact, Profile

_GOES_ON = re.compile(r"\w|[.,]\d")  # behind a value: it is a part of a longer one


@dataclass(frozen=True)
class Part:
    """A paragraph of facts, a sentence each, and the paragraph of prose behind it (empty at the end)."""

    facts: tuple[Fact, ...]
    prose: str


@dataclass(frozen=True)
class Placed:
    """A fact with its sentence, ``text[start:end]`` of the text that it was laid out in.

    ``own``: where the text about its country begins and ends.
    """

    profile: Profile
    fact: Fact
    start: int
    end: int
    own: tuple[int, int]


def question(profile: Profile, fact: Fact) -> str:
    """The question that the fact's value answers."""
    return f"What is the {fact.field.label} of {profile.name}?"


def opening(profile: Profile, fact: Fact) -> str:
    """The sentence that states the fact, up to its value."""
    return f"The {fact.field.label} of {profile.name} is"


def sentence(profile: Profile, fact: Fact) -> str:
    """The sentence that states the fact."""
    return f"{opening(profile, fact)} {fact.value}."


def parts(profile: Profile) -> list[Part]:
    """The profile in parts, so that its facts are spread over its prose."""
    facts, prose = profile.facts, profile.prose
    count = len(prose) + 1
    cuts = [len(facts) * number // count for number in range(count + 1)]
    texts = [*(f"{heading}: {text}" for heading, text in prose), ""]
    return [
        Part(facts[start:end], text)
        for start, end, text in zip(cuts, cuts[1:], texts, strict=False)
    ]


def laid_out(profiles: Iterable[Profile]) -> tuple[str, list[Placed]]:
    """Profiles one after the other, each under its name as a heading.

    Returns:
        The text, and the place of every fact's sentence in it, in the order of the text.
    """
    pieces: list[str] = []
    placed: list[Placed] = []
    done = 0
    for profile in profiles:
        begin = done
        found: list[tuple[Fact, int, int]] = []
        pieces.append(f"## {profile.name}")
        done += len(pieces[-1])
        for part in parts(profile):
            for number, fact in enumerate(part.facts):
                glue, text = " " if number else "\n\n", sentence(profile, fact)
                pieces.append(glue + text)
                found.append((fact, done + len(glue), done + len(glue) + len(text)))
                done += len(glue) + len(text)
            if part.prose:
                pieces.append(f"\n\n{part.prose}")
                done += len(pieces[-1])
        pieces.append("\n\n")
        placed += [Placed(profile, fact, start, end, (begin, done)) for fact, start, end in found]
        done += 2
    return "".join(pieces).rstrip("\n"), placed


def told(text: str, placed: Sequence[Placed]) -> list[Placed]:
    """The facts that only their own sentence tells, and that nobody can know.

    The value stands once in the text, it is not the true one, and the true one stands nowhere in what
    the text says about the country.
    """
    low = text.lower()
    return [
        each
        for each in placed
        if each.fact.value.lower() != each.fact.true.lower()
        and occurrences(each.fact.value, low) == 1
        and not occurrences(each.fact.true, low[slice(*each.own)])
    ]


def occurrences(value: str, low: str) -> int:
    """How often a value stands in a text in lower case, as whole words and numbers."""
    value = value.lower()
    found, place = 0, low.find(value)
    while place >= 0:  # a pattern would look around every letter; this is a hundred times as fast
        end = place + len(value)
        before = low[place - 1 : place]
        inside = before.isalnum() or (before != "" and before in "_.,$-")
        found += not inside and not _GOES_ON.match(low, end)
        place = low.find(value, place + 1)
    return found
