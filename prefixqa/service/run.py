"""All documents at once, with bounded concurrency; what is paid is kept whatever happens."""

import asyncio
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from prefixqa.config import ServiceConfig
from prefixqa.document import Document
from prefixqa.made import Made
from prefixqa.service.accounts import Accounts
from prefixqa.service.address import check_address
from prefixqa.service.client import connected
from prefixqa.service.errors import BudgetError
from prefixqa.service.generate import pairs_of
from prefixqa.service.request import check_extra
from prefixqa.service.store import Store
from prefixqa.tokens import TokenCounter

STRUCTURED = ("json_schema", "json_object", "none")


@dataclass
class Finished:
    """What came out. ``trouble``: why the set is not complete, empty if it is."""

    made: list[Made]
    accounts: Accounts
    trouble: list[str] = field(default_factory=list)


def check_service(settings: ServiceConfig) -> None:
    """
    Raises:
        ValueError: a setting cannot work.
    """
    if settings.structured not in STRUCTURED:
        known = ", ".join(STRUCTURED)
        raise ValueError(f"openai.structured is {settings.structured!r}; expected one of {known}")
    least = {"concurrency": 1, "retries": 0, "samples": 1, "rounds": 1, "max_answer_words": 1}
    for name, low in least.items():
        if getattr(settings, name) < low:
            raise ValueError(f"openai.{name} is {getattr(settings, name)}; expected at least {low}")
    check_address(settings.base_url)
    for name in ("timeout", "batch_poll", "max_wait"):
        if getattr(settings, name) <= 0:
            raise ValueError(
                f"openai.{name} is {getattr(settings, name)}; expected more than 0 seconds"
            )
    if settings.answer_tokens is not None and settings.answer_tokens < 1:
        raise ValueError(f"openai.answer_tokens is {settings.answer_tokens}; expected at least 1")
    for name in ("price_in", "price_out", "max_cost"):
        if (given := getattr(settings, name)) is not None and not 0 <= given < math.inf:
            raise ValueError(f"openai.{name} is {given}; expected at least 0")
    check_extra(settings.extra_body)
    if not 0 < settings.agree <= 1:
        raise ValueError(f"openai.agree is {settings.agree}; expected more than 0, at most 1")
    if settings.max_cost is not None and (settings.price_in is None or settings.price_out is None):
        raise ValueError("openai.max_cost needs openai.price_in and openai.price_out")


def ask_service(
    settings: ServiceConfig,
    documents: Sequence[Document],
    tokens: TokenCounter,
    questions: int,
    seed: int,
    cache: Path,
) -> Finished:
    """Pairs for all documents.

    Raises:
        ValueError: the service refuses everything, or the store cannot be used.
        UnfinishedError: the disk is full; what is paid is kept.
    """
    store = Store(cache)
    try:
        return asyncio.run(_all(settings, documents, tokens, questions, seed, store))
    finally:
        store.close()


async def _all(
    settings: ServiceConfig,
    documents: Sequence[Document],
    tokens: TokenCounter,
    questions: int,
    seed: int,
    store: Store,
) -> Finished:
    made: dict[str, Made] = {}
    # Few documents at a time: those that are begun get finished, should something stop the rest.
    gate = asyncio.Semaphore(len(documents) if settings.batch else settings.concurrency)
    with tqdm(total=len(documents), unit="doc", disable=None, leave=False) as bar:
        async with connected(settings, seed, store, say, tokens.count) as client:

            async def one(document: Document) -> None:
                async with gate:
                    try:
                        found = await pairs_of(client, settings, document, tokens, questions, seed)
                    except Exception as error:
                        client.stop(error)
                        raise
                made[document.id] = found
                bar.set_postfix(pairs=sum(len(each.pairs) for each in made.values()))
                bar.update()

            # After a stop, the others go on with what is kept or under way, and end where they would send.
            await asyncio.gather(*map(one, documents), return_exceptions=True)
    if client.stopped is not None and not isinstance(client.stopped, BudgetError):
        raise client.stopped
    trouble = [str(client.stopped)] if client.stopped else []
    trouble += client.gave_up[:1]
    if len(client.gave_up) > 1:
        trouble[-1] += f" (and {len(client.gave_up) - 1} more)"
    finished = [made[each.id] for each in documents if each.id in made]
    return Finished(finished, client.accounts, trouble)


def say(text: str) -> None:
    """Shows a line above the progress bar."""
    tqdm.write(f"prefixqa: {text}", file=sys.stderr)
