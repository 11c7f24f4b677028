"""Sends requests one by one, again where that may help, and waits as the service says."""

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from prefixqa.config import ServiceConfig
from prefixqa.service.accounts import Accounts
from prefixqa.service.address import secrets_of
from prefixqa.service.budget import Budget
from prefixqa.service.errors import GaveUpError, ServiceError
from prefixqa.service.reply import ReplyError, Response, read_reply, words_of
from prefixqa.service.request import Request
from prefixqa.service.store import Store
from prefixqa.service.waits import asked_wait, backoff, rest
from rows.redact import redact

REFUSES_ALL = (401, 402, 403, 404)  # the key, the money, the rights, the model or the address
AGAIN = (408, 409, 429)  # and all from 500 on
NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout")  # of the HTTP client: nothing went out
SHOWN = 5.0  # seconds; a longer wait is told


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
    """Sends each request by itself.

    The ``openai`` client sends once only: of its own it gives up where a service asks for more than two
    minutes, and its time limit is for each piece of an answer, not for the whole.
    """

    def __init__(
        self,
        settings: ServiceConfig,
        store: Store,
        accounts: Accounts,
        budget: Budget,
        tell: Callable[[str], None],
    ) -> None:
        import openai

        self._settings = settings
        self._store = store
        self._accounts = accounts
        self._budget = budget
        self._tell = tell
        self._secrets = secrets_of(settings)
        self._not_before = (
            0.0  # by time.monotonic; what the service asked of one request holds for all
        )
        self._stopping = asyncio.Event()
        self.openai = openai.AsyncOpenAI(
            api_key=api_key(settings),
            base_url=settings.base_url,
            timeout=settings.timeout,
            max_retries=0,
        )

    async def send(self, key: str, request: Request) -> Response:
        """
        Raises:
            ServiceError: the service refuses the key, the model or the address.
            GaveUpError: any other failure that retries did not mend.
        """
        for attempt in range(self._settings.retries + 1):
            left = self._not_before - time.monotonic()
            if self._stopping.is_set() or (left > 0 and not await rest(left, self._stopping)):
                raise GaveUpError(f"a request for {request.kind} was not sent: stopped")
            await self._budget.reserve(key, request)
            try:
                return await self._once(request)
            except _FailedError as failure:
                last = failure
            except ServiceError:
                self._budget.refused(key)
                raise
            if last.paid:
                self._budget.lost(key)
            else:
                self._budget.refused(key)
            if not last.again or attempt == self._settings.retries:
                break
            if not await rest(self._wait(last, attempt, request), self._stopping):
                break
        raise GaveUpError(f"a request for {request.kind} failed: {last}")

    async def _once(self, request: Request) -> Response:
        """One attempt, with a limit for all of it."""
        import openai

        body = {"model": request.body["model"], "messages": request.body["messages"]}
        others = {name: each for name, each in request.body.items() if name not in body}
        try:
            async with asyncio.timeout(self._settings.timeout):
                raw = await self.openai.chat.completions.with_raw_response.create(
                    **body, extra_body=others
                )
            return read_reply(raw.content)
        except ReplyError as error:
            raise self._failed("bad_body", str(error)) from None
        except openai.APIStatusError as error:
            raise self._of_status(error, request) from None
        except (TimeoutError, openai.APITimeoutError, openai.APIConnectionError) as error:
            cause = type(error.__cause__ or error).__name__
            if cause in NOT_SENT:
                raise self._failed("connection", f"no connection ({cause})", paid=False) from None
            if isinstance(error, TimeoutError | openai.APITimeoutError):
                words = f"no answer within openai.timeout={self._settings.timeout:g} s"
                raise self._failed("time_out", words) from None
            raise self._failed("connection", f"the connection broke ({cause})") from None
        except openai.APIError as error:
            raise self._failed("bad_body", str(error)) from None

    def _of_status(self, error: Any, request: Request) -> Exception:
        status = int(error.status_code)
        said = redact(words_of(error.body) or words_of(error.response.text), self._secrets)
        words = f"the service answers {status}" + (f", {said!r}" if said else "")
        if status in REFUSES_ALL:
            return ServiceError(
                f"{words}, for model {redact(request.body['model'], self._secrets)!r}; check openai.model, "
                f"openai.base_url and the key in {self._settings.key_env}"
            )
        kind = (
            "rate_limited" if status == 429 else "server_error" if status >= 500 else "bad_request"
        )
        self._count(kind)
        headers = error.response.headers
        again = status in AGAIN or status >= 500
        again = {"true": True, "false": False}.get(headers.get("x-should-retry", ""), again)
        return _FailedError(words, again, asked_wait(headers), paid=False)

    def _failed(self, kind: str, words: str, paid: bool = True) -> "_FailedError":
        """An attempt that may have been paid, though nothing came of it."""
        self._count(kind)
        return _FailedError(redact(words, self._secrets), True, None, paid)

    def _wait(self, failure: "_FailedError", attempt: int, request: Request) -> float:
        """Seconds to wait after a failure.

        Raises:
            GaveUpError: the service asks for more than ``max_wait``.
        """
        if failure.wait is None:
            return backoff(attempt)
        if failure.wait > self._settings.max_wait:
            raise GaveUpError(
                f"a request for {request.kind} failed: {failure}; it asks to wait {failure.wait:.0f} s, "
                f"openai.max_wait is {self._settings.max_wait:g}"
            )
        until = time.monotonic() + failure.wait
        if failure.wait >= SHOWN and until > self._not_before + 1:
            self._tell(f"{failure}; it asks to wait {failure.wait:.0f} s: waiting")
        self._not_before = max(self._not_before, until)
        return max(failure.wait, 0.05)

    def _count(self, kind: str) -> None:
        self._accounts.troubles[kind] += 1
        self._store.count_failure(kind)

    def stop(self) -> None:
        """No request is sent again; those that are under way are not touched."""
        self._stopping.set()

    async def close(self) -> None:
        """Closes the connections."""
        await self.openai.close()


class _FailedError(Exception):
    """One attempt: why, in the service's words; whether another may help; seconds that the service asks to
    wait; whether it may have been paid."""

    def __init__(self, words: str, again: bool, wait: float | None, paid: bool) -> None:
        super().__init__(words)
        self.again = again
        self.wait = wait
        self.paid = paid
