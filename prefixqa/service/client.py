"""One request at a time of many: the store first, then the service, then what the answer is good for."""

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from prefixqa.config import ServiceConfig
from prefixqa.service.accounts import Accounts
from prefixqa.service.address import secrets_of, service_name
from prefixqa.service.prompts import Messages
from prefixqa.service.schema import Strict, UnreadableError, response_format
from prefixqa.service.store import Response, Store, key_of
from rows.redact import redact, without

ATTEMPTS = 2  # requests for one answer, where the first one cannot be read
Read = TypeVar("Read")


class ServiceError(ValueError):
    """The service refuses everything: a wrong key, model or address. Nothing more is sent."""


class BudgetError(RuntimeError):
    """The next request might cost more than ``max_cost`` allows."""


class GaveUpError(RuntimeError):
    """A request failed after all its retries; another run may have more luck."""


@dataclass(frozen=True)
class Request:
    """A chat completion: its kind for the accounts, and the body that is sent."""

    kind: str
    body: dict[str, Any]

    def key(self, service: str, attempt: str) -> str:
        """The key of its response; ``attempt`` tells samples of one request apart."""
        return key_of([service, self.body, attempt])


class Sender(Protocol):
    """Sends a request and returns its response, for instance directly or in a batch."""

    async def send(self, key: str, request: Request) -> Response: ...


class Client:
    """Asks a service for objects of a schema."""

    def __init__(
        self, settings: ServiceConfig, seed: int, store: Store, accounts: Accounts, sender: Sender
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._store = store
        self._accounts = accounts
        self._sender = sender
        self.gave_up: list[str] = []  # what failed for good, in words

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
            ServiceError, BudgetError: nothing more should be asked.
        """
        body = self._body(messages, schema, max_tokens, model, temperature, sample)
        for attempt in range(ATTEMPTS):
            try:
                response = await self._response(Request(kind, body), f"{sample}.{attempt}")
            except GaveUpError as error:
                self._accounts.failures["gave_up"] += 1
                self.gave_up.append(str(error))
                return None
            if response.refusal or response.finish == "content_filter":
                self._accounts.failures["refusal"] += 1
                return None
            if response.finish == "length":
                self._accounts.failures["cut_off"] += 1
                continue
            try:
                return read(response.content or "")
            except UnreadableError as error:
                self._accounts.failures[error.kind] += 1
        return None

    async def _response(self, request: Request, attempt: str) -> Response:
        key = request.key(service_name(self._settings.base_url), attempt)
        # Answers that were kept under the whole address, as older versions did it, are paid as well.
        older = request.key(self._settings.base_url or "openai", attempt)
        if (kept := self._store.get(key) or self._store.get(older)) is not None:
            self._accounts.add(request.kind, kept, new=False)
            return kept
        limit = self._settings.max_cost
        if limit is not None and self._accounts.spent_now >= limit:
            raise BudgetError(
                f"{self._accounts.spent_now:.4f} spent, openai.max_cost is {limit}; raise it to go on"
            )
        response = self._without_secrets(await self._sender.send(key, request))
        self._store.put(key, request.kind, response)
        self._accounts.add(request.kind, response, new=True)
        return response

    def _without_secrets(self, response: Response) -> Response:
        """Services of one's own may echo what they were asked with."""
        hidden = secrets_of(self._settings)
        return replace(
            response,
            content=without(response.content, hidden),
            refusal=without(response.refusal, hidden),
        )

    def _body(
        self,
        messages: Messages,
        schema: type[Strict],
        max_tokens: int,
        model: str | None,
        temperature: float | None,
        sample: int,
    ) -> dict[str, Any]:
        settings = self._settings
        # Compatible services know the old name of this limit; OpenAI's newer models only the new one.
        limit = "max_tokens" if settings.base_url else "max_completion_tokens"
        body: dict[str, Any] = {
            "model": model or settings.model,
            "messages": messages,
            limit: max_tokens,
            "seed": self._seed + sample,
        }
        if (heat := settings.temperature if temperature is None else temperature) >= 0:
            body["temperature"] = heat
        if (wanted := response_format(schema, settings.structured)) is not None:
            body["response_format"] = wanted
        return body


def api_key(settings: ServiceConfig) -> str:
    """The key from the environment; a stand-in for services of one's own, which need none.

    Raises:
        ServiceError: OpenAI's own service is asked for, and there is no key.
    """
    key = os.environ.get(settings.key_env, "").strip()
    if key:
        return key
    if settings.base_url is None:
        raise ServiceError(
            f"no key: set the environment variable {settings.key_env}, or openai.base_url for a "
            "service that needs none"
        )
    return "none"


class Direct:
    """Sends each request by itself; the ``openai`` client retries and waits as the service says."""

    def __init__(self, settings: ServiceConfig, store: Store, accounts: Accounts) -> None:
        import openai

        self._settings = settings
        self._store = store
        self._accounts = accounts
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._refused: ServiceError | None = None
        counting = self._counting_client(openai)
        self.openai = openai.AsyncOpenAI(
            api_key=api_key(settings),
            base_url=settings.base_url,
            timeout=settings.timeout,
            max_retries=settings.retries,
            http_client=counting,
        )

    def _counting_client(self, openai: Any) -> Any:
        trouble = self._trouble

        class Counting(openai.DefaultAsyncHttpxClient):
            """Sees the attempts that the client retries by itself."""

            async def send(self, *arguments: Any, **options: Any) -> Any:
                try:
                    response = await super().send(*arguments, **options)
                except Exception as error:
                    name = type(error).__name__
                    trouble("time_out" if "Timeout" in name else "connection")
                    raise
                if response.status_code == 429:
                    trouble("rate_limited")
                elif response.status_code >= 500:
                    trouble("server_error")
                return response

        return Counting()

    def _trouble(self, kind: str) -> None:
        self._accounts.troubles[kind] += 1
        self._store.count_failure(kind)

    async def send(self, key: str, request: Request) -> Response:
        """
        Raises:
            ServiceError: the service refuses the key, the model or the address.
            GaveUpError: any other failure that retries did not mend.
        """
        import openai

        async with self._slots:
            if self._refused:  # do not send what waits behind the first refusal
                raise self._refused
            try:
                return read_completion(await self._completion(request))
            except (
                openai.AuthenticationError,
                openai.PermissionDeniedError,
                openai.NotFoundError,
            ) as e:
                self._refused = ServiceError(
                    f"the service answers {e.status_code} for model {redact(request.body['model'])!r}; "
                    f"check openai.model, openai.base_url and the key in {self._settings.key_env}"
                )
                raise self._refused from None  # the service's words may quote the key
            except openai.APIError as error:
                code = getattr(error, "status_code", None)
                if code is not None and 400 <= code < 500 and code != 429:
                    self._trouble("bad_request")
                what = type(error).__name__ + (f" {code}" if code else "")
                raise GaveUpError(f"a request for {request.kind} failed: {what}") from None

    async def _completion(self, request: Request) -> dict[str, Any]:
        """The body of the answer; one that is no JSON is asked for again."""
        for _ in range(self._settings.retries + 1):
            raw = await self.openai.chat.completions.with_raw_response.create(**request.body)
            try:
                body = json.loads(raw.content)
                read_completion(body)
                return dict(body)
            except (ValueError, KeyError, IndexError, TypeError, AttributeError):
                self._trouble("bad_body")
        raise GaveUpError(f"a request for {request.kind} got answers that are no chat completions")

    async def close(self) -> None:
        """Closes the connections."""
        await self.openai.close()


def read_completion(body: dict[str, Any]) -> Response:
    """A chat completion as a response.

    Raises:
        KeyError, IndexError, TypeError, AttributeError: the body is no chat completion.
    """
    choice = body["choices"][0]
    message = choice["message"]
    usage = body.get("usage") or {}
    return Response(
        content=message.get("content"),
        finish=choice.get("finish_reason") or "",
        refusal=message.get("refusal"),
        tokens_in=int(usage.get("prompt_tokens") or 0),
        tokens_out=int(usage.get("completion_tokens") or 0),
    )
