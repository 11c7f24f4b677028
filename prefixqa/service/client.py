"""One request at a time of many: the store first, then the service, then what the answer is good for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from prefixqa.config import ServiceConfig
from prefixqa.service.accounts import Accounts, Prices
from prefixqa.service.address import secrets_of, service_name
from prefixqa.service.batch import Batched
from prefixqa.service.budget import Budget
from prefixqa.service.errors import GaveUpError, StopError
from prefixqa.service.prompts import Messages
from prefixqa.service.reply import Response
from prefixqa.service.request import Request, make_request
from prefixqa.service.schema import Strict, UnreadableError
from prefixqa.service.send import Direct
from prefixqa.service.store import Store, StoreError, StoreFullError
from rows.redact import without

ATTEMPTS = 2  # requests for one answer, where the first one cannot be read
Read = TypeVar("Read")
Count = Callable[[str], int]


class Sender(Protocol):
    """Sends a request and returns its response, for instance directly or in a batch."""

    async def send(self, key: str, request: Request) -> Response: ...

    def stop(self) -> None: ...

    async def close(self) -> None: ...


def bytes_by_three(text: str) -> int:
    """A guess at a text's tokens, where no tokenizer is at hand."""
    return -(-len(text.encode("utf-8", "replace")) // 3)


@contextlib.asynccontextmanager
async def connected(
    settings: ServiceConfig,
    seed: int,
    store: Store,
    tell: Callable[[str], None],
    count: Count = bytes_by_three,
) -> AsyncIterator["Client"]:
    """A client of the settings' service. In the end, whatever ends it, answers that are under way are
    waited for and kept: they are paid.

    Args:
        tell: shows a line to the user. count: tokens of a text, for services that do not count.
    """
    accounts = Accounts(Prices(settings.price_in, settings.price_out))
    accounts.troubles = store.failures()
    budget = Budget(settings.max_cost, store, accounts)
    direct = Direct(settings, store, accounts, budget, tell)
    sender = Batched(settings, direct, store, budget) if settings.batch else direct
    client = Client(settings, seed, store, accounts, budget, sender, count)
    try:
        yield client
    except asyncio.CancelledError:  # Ctrl-C
        sender.stop()
        if client.under_way and not settings.batch:
            tell(f"waiting for {client.under_way} answers that are paid; Ctrl-C again leaves them")
        raise
    finally:
        await client.finish()
        await sender.close()


class Client:
    """Asks a service for objects of a schema.

    Attributes:
        accounts: what was sent, taken from the store, paid.
        gave_up: requests that failed for good, in words.
        stopped: why nothing more is sent; None while all is well.
    """

    def __init__(
        self,
        settings: ServiceConfig,
        seed: int,
        store: Store,
        accounts: Accounts,
        budget: Budget,
        sender: Sender,
        count: Count,
    ) -> None:
        self.accounts = accounts
        self.gave_up: list[str] = []
        self.stopped: Exception | None = None
        self._settings = settings
        self._seed = seed
        self._store = store
        self._budget = budget
        self._sender = sender
        self._count = count
        self._secrets = secrets_of(settings)
        # A batch takes whatever is asked for at one time.
        self._slots = None if settings.batch else asyncio.Semaphore(settings.concurrency)
        self._under_way: dict[str, asyncio.Task[Response]] = {}

    @property
    def under_way(self) -> int:
        """Requests that have been sent and not been answered."""
        return len(self._under_way)

    async def ask(
        self,
        kind: str,
        messages: Messages,
        schema: type[Strict],
        read: Callable[[str], Read],
        max_tokens: int,
        sample: int = 0,
        model: str | None = None,
        temperature: float | None = None,
    ) -> Read | None:
        """The answer as ``read`` gives it, or None if there is no usable one.

        An answer that cannot be read is asked for once more; a refusal is not.

        Raises:
            StopError, StoreError, StoreFullError: nothing more is asked.
        """
        seed = self._seed + sample
        request = make_request(
            self._settings, kind, messages, schema, max_tokens, seed, model, temperature
        )
        for attempt in range(ATTEMPTS):
            try:
                response = await self._response(request, f"{sample}.{attempt}")
            except GaveUpError as error:
                self.accounts.failures["gave_up"] += 1
                self.gave_up.append(str(error))
                return None
            if response.refusal or response.finish == "content_filter":
                self.accounts.failures["refusal"] += 1
                return None
            if response.finish == "length":
                self.accounts.failures["cut_off"] += 1
                continue
            try:
                return read(response.content or "")
            except UnreadableError as error:
                self.accounts.failures[error.kind] += 1
        return None

    def stop(self, error: Exception) -> None:
        """Nothing more is sent; the first reason stays."""
        self.stopped = self.stopped or error

    async def finish(self) -> None:
        """Waits until every answer that is under way is kept. Batches are not waited for: the next run
        fetches them."""
        tasks = list(self._under_way.values())
        if self._settings.batch:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _response(self, request: Request, attempt: str) -> Response:
        key = request.key(service_name(self._settings.base_url), attempt)
        # Answers that were kept under the whole address, as older versions did it, are paid as well.
        older = request.key(self._settings.base_url or "openai", attempt)
        if key not in self._under_way:
            if (kept := self._store.get(key) or self._store.get(older)) is not None:
                self.accounts.add(request.kind, kept, new=False)
                return kept
            task = asyncio.create_task(self._paid(key, request))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # Shielded: whoever asks may be cancelled, but what is sent is paid, and its answer is kept.
        return await asyncio.shield(self._under_way[key])

    async def _paid(self, key: str, request: Request) -> Response:
        """Sends a request, and keeps its answer before anybody sees it."""
        async with self._slots or contextlib.nullcontext():
            if self.stopped:
                raise self.stopped
            try:
                response = self._complete(request, await self._sender.send(key, request))
                self._store.put(key, request.kind, response)
            except (StopError, StoreError, StoreFullError) as error:
                self.stop(error)
                raise
            self.accounts.add(request.kind, response, new=True)
            self._budget.answered(key)
            if self._store.full:
                self.stop(self._store.no_room())
            return response

    def _complete(self, request: Request, response: Response) -> Response:
        """The response without secrets that a service may echo, and with its tokens counted."""
        text = response.content or ""
        asked = "\n".join(each["content"] for each in request.body["messages"])
        tokens_in = response.tokens_in or self._count(asked)
        tokens_out = response.tokens_out or self._count(text + (response.refusal or ""))
        return replace(
            response,
            content=without(response.content, self._secrets),
            refusal=without(response.refusal, self._secrets),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            estimated=(tokens_in, tokens_out) != (response.tokens_in, response.tokens_out),
        )
