"""The Batch API: requests gathered into files, answered within a day at a lower price."""

import asyncio
import io
import json
from typing import Any

from prefixqa.config import ServiceConfig
from prefixqa.service.address import secrets_of
from prefixqa.service.budget import Budget
from prefixqa.service.errors import GaveUpError, ServiceError
from prefixqa.service.reply import Response, read_body, words_of
from prefixqa.service.request import Request
from prefixqa.service.send import Direct
from prefixqa.service.store import Store, StoreError, StoreFullError
from rows.redact import redact

GATHER = 0.5  # seconds without a new request after which a batch is sent
OVER = ("completed", "failed", "expired", "cancelled")


class Batched:
    """A sender that gathers what is asked for at one time.

    The ids of sent batches are kept, so a run that was stopped fetches them instead of paying twice.
    """

    def __init__(
        self, settings: ServiceConfig, direct: Direct, store: Store, budget: Budget
    ) -> None:
        self._settings = settings
        self._direct = direct
        self._store = store
        self._budget = budget
        self._waiting: dict[str, tuple[Request, asyncio.Future[Response]]] = {}
        self._worker: asyncio.Task[None] | None = None
        self._old: asyncio.Task[None] | None = None

    async def send(self, key: str, request: Request) -> Response:
        """
        Raises:
            GaveUpError: the batch failed, or this request in it.
            ServiceError: the service refuses batches altogether. BudgetError: it might cost too much.
        """
        if self._old is None:
            self._old = asyncio.create_task(self._fetch_open())
        await asyncio.shield(self._old)
        if (kept := self._store.get(key)) is not None:
            return kept
        await self._budget.reserve(key, request)
        if key not in self._waiting:
            self._waiting[key] = (request, asyncio.get_running_loop().create_future())
        future = self._waiting[key][1]
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._gather())
        return await future

    def _client(self) -> Any:
        return self._direct.openai.with_options(max_retries=self._settings.retries)

    def stop(self) -> None:
        """No request is sent again."""
        self._direct.stop()

    async def close(self) -> None:
        """Closes the connections; batches that are under way are fetched by the next run."""
        for task in (self._worker, self._old):
            if task and not task.done():
                task.cancel()
        await self._direct.close()

    async def _gather(self) -> None:
        """Sends batches until nobody waits any more."""
        while self._waiting:
            before = -1
            while before != len(self._waiting):
                before = len(self._waiting)
                await asyncio.sleep(GATHER)
            taken, self._waiting = self._waiting, {}
            try:
                found = await self._round({key: request for key, (request, _) in taken.items()})
            except Exception as error:
                problem = self._as_ours(error)
                for key, (_, future) in taken.items():
                    self._budget.lost(key)
                    if not future.done():
                        future.set_exception(problem)
                continue
            for key, (request, future) in taken.items():
                if key in found and not future.done():
                    future.set_result(found[key])
                elif not future.done():
                    self._budget.refused(key)
                    words = f"a batch left out a request for {request.kind}"
                    future.set_exception(GaveUpError(words))

    async def _round(self, requests: dict[str, Request]) -> dict[str, Response]:
        """Sends one batch and waits for it."""
        lines = [
            json.dumps(
                {
                    "custom_id": key,
                    "method": "POST",
                    "url": "/v1/chat/completions",
                    "body": each.body,
                }
            )
            for key, each in requests.items()
        ]
        client = self._client()
        content = io.BytesIO("\n".join(lines).encode())
        file = await client.files.create(file=("requests.jsonl", content), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        )
        self._store.put_batch(batch.id, {key: each.kind for key, each in requests.items()})
        return await self._fetch(batch.id)

    async def _fetch_open(self) -> None:
        """Puts the answers of batches that an earlier run sent into the store."""
        for batch, kinds in self._store.open_batches().items():
            for key, response in (await self._fetch(batch)).items():
                self._store.put(key, kinds.get(key, "batch"), response)

    async def _fetch(self, name: str) -> dict[str, Response]:
        """Waits until a batch is over; its answers by key. Closes it in the store."""
        client = self._client()
        while (batch := await client.batches.retrieve(name)).status not in OVER:
            await asyncio.sleep(self._settings.batch_poll)
        found: dict[str, Response] = {}
        if batch.output_file_id:
            content = (await client.files.content(batch.output_file_id)).content
            for line in content.splitlines():
                if (answer := _answer(line)) is not None:
                    found[answer[0]] = answer[1]
                    # Kept at once: the futures' owners come later, or, after a crash, never.
                    self._store.put(answer[0], "batch", answer[1])
        self._store.close_batch(name)
        return found

    def _as_ours(self, error: Exception) -> Exception:
        import openai

        said = redact(words_of(getattr(error, "body", None)), secrets_of(self._settings))
        said = f", {said!r}" if said else ""
        refused = openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError
        if isinstance(error, refused):
            return ServiceError(
                f"the service answers {error.status_code} to a batch{said}; check openai.base_url and the "
                f"key in {self._settings.key_env}, or use openai.batch=false"
            )
        if isinstance(error, StoreError | StoreFullError):
            return error
        return GaveUpError(f"a batch failed: {type(error).__name__}{said}")


def _answer(line: bytes) -> tuple[str, Response] | None:
    """Key and response of a line of a batch's output; None for a request that failed."""
    try:
        content = json.loads(line)
        key, answer = content["custom_id"], content["response"]
        if answer["status_code"] != 200 or not isinstance(key, str):
            return None
        return key, read_body(answer["body"])
    except (ValueError, KeyError, TypeError, RecursionError):  # ReplyError is a ValueError
        return None
