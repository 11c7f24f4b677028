"""Country profiles as documents and questions: values are swapped, so that only the documents have them."""

import functools
import hashlib

from ruler.sources.qa_data import Item, QaData
from texts import catalogue, profile
from texts.factbook import Profile


def factbook(seed: str) -> QaData:
    """A document for every part of a profile, and a question for every fact that only one place tells.

    Args:
        seed: of the values that countries get from each other.

    Raises:
        MissingDataError: the profiles cannot be had.
    """
    return _of(tuple(catalogue.profiles(seed)))


@functools.lru_cache(maxsize=2)  # it takes seconds, and a sweep asks in every run
def _of(profiles: tuple[Profile, ...]) -> QaData:
    documents: list[str] = []
    places: dict[tuple[str, str], int] = {}  # of the document that states a fact
    countries: dict[str, list[int]] = {}
    for each in profiles:
        for part in profile.parts(each):
            told = " ".join(profile.sentence(each, fact) for fact in part.facts)
            text = "\n".join(line for line in (each.name, told, part.prose) if line)
            countries.setdefault(each.code, []).append(len(documents))
            for fact in part.facts:
                places[each.code, fact.field.label] = len(documents)
            documents.append(text)
    items = []
    for one in profile.told(*profile.laid_out(profiles)):
        gold = places[one.profile.code, one.fact.field.label]
        related = tuple(place for place in countries[one.profile.code] if place != gold)
        question = profile.question(one.profile, one.fact)
        items.append(Item(question, (one.fact.value,), (gold,), related))
    content = hashlib.sha256("\0".join(documents).encode()).hexdigest()[:16]
    return QaData(tuple(documents), tuple(items), content)
