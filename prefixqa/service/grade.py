"""The optional judge of predictions: a model says which of them are right."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefixqa.config import ServiceConfig
from prefixqa.service import prompts
from prefixqa.service.accounts import Accounts
from prefixqa.service.client import Client, connected
from prefixqa.service.schema import Verdicts, read
from prefixqa.service.store import Store

TOGETHER = 20  # predictions in one request
TOKENS_A_VERDICT = 60


@dataclass(frozen=True)
class Given:
    """A prediction to judge. ``id``: of its row."""

    id: str
    question: str
    answers: list[str]
    prediction: str


@dataclass(frozen=True)
class Grade:
    """A verdict: ``good`` is None where the judge gave none."""

    id: str
    good: bool | None
    reason: str


def grade(
    settings: ServiceConfig, given: Sequence[Given], cache: Path
) -> tuple[list[Grade], Accounts]:
    """The verdicts, in order, and what they took. Verdicts that are in ``cache`` are not paid again.

    Raises:
        ValueError: the service refuses everything, or the store cannot be used.
    """
    store = Store(cache)
    try:
        return asyncio.run(_all(settings, given, store))
    finally:
        store.close()


async def _all(
    settings: ServiceConfig, given: Sequence[Given], store: Store
) -> tuple[list[Grade], Accounts]:
    packs = [given[at : at + TOGETHER] for at in range(0, len(given), TOGETHER)]
    async with connected(settings, 0, store, say) as client:
        found = await asyncio.gather(*(_pack(client, pack) for pack in packs))
    return [each for pack in found for each in pack], client.accounts


def say(text: str) -> None:
    """Shows a line."""
    print(text, file=sys.stderr)


async def _pack(client: Client, pack: Sequence[Given]) -> list[Grade]:
    asked = [(each.question, each.answers, each.prediction) for each in pack]
    verdicts = await client.ask(
        "grade",
        prompts.grade(asked),
        Verdicts,
        lambda text: read(Verdicts, text),
        TOKENS_A_VERDICT * len(pack) + 100,
        temperature=0.0,
    )
    by_number = {each.number: each for each in verdicts.verdicts} if verdicts else {}
    grades = []
    for number, each in enumerate(pack, start=1):
        verdict = by_number.get(number)
        if verdict is None:
            grades.append(Grade(each.id, None, "the judge gave no verdict"))
        else:
            grades.append(Grade(each.id, verdict.good, verdict.reason))
    return grades
