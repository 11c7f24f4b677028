"""All documents at once, with bounded concurrency; what is paid is kept whatever happens."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from prefixqa.config import ServiceConfig
from prefixqa.document import Document
from prefixqa.made import Made
from prefixqa.service.accounts import Accounts, Prices
from prefixqa.service.address import check_address
from prefixqa.service.batch import Batched
from prefixqa.service.client import BudgetError, Client, Direct
from prefixqa.service.generate import pairs_of
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
    if settings.timeout <= 0 or settings.batch_poll <= 0:
        raise ValueError("openai.timeout and openai.batch_poll must be more than 0 seconds")
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
    accounts = Accounts(Prices(settings.price_in, settings.price_out))
    accounts.troubles = store.failures()
    direct = Direct(settings, store, accounts)
    sender = Batched(settings, direct, store) if settings.batch else direct
    client = Client(settings, seed, store, accounts, sender)
    trouble: list[str] = []
    made: dict[str, Made] = {}
    with tqdm(total=len(documents), unit="doc", disable=None, leave=False) as bar:

        async def one(document: Document) -> None:
            made[document.id] = await pairs_of(client, settings, document, tokens, questions, seed)
            bar.set_postfix(pairs=sum(len(each.pairs) for each in made.values()))
            bar.update()

        # Few documents at a time: those that are begun get finished, should something stop the rest.
        gate = asyncio.Semaphore(len(documents) if settings.batch else settings.concurrency)

        async def gated(document: Document) -> None:
            async with gate:
                await one(document)

        try:
            async with asyncio.TaskGroup() as group:
                for document in documents:
                    group.create_task(gated(document))
        except* BudgetError as errors:
            trouble.append(str(errors.exceptions[0]))
        except* ValueError as errors:
            raise _first(errors) from None
        finally:
            await sender.close()
    trouble += client.gave_up[:1]
    if len(client.gave_up) > 1:
        trouble[-1] += f" (and {len(client.gave_up) - 1} more)"
    finished = [made[each.id] for each in documents if each.id in made]
    return Finished(finished, accounts, trouble)


def _first(errors: BaseExceptionGroup[Any]) -> BaseException:
    """The first single error in a group of groups."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
