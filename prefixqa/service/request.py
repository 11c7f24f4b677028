"""A request, its key in the store, and what it can cost at most."""

import json
from dataclasses import dataclass
from typing import Any

from prefixqa.config import ServiceConfig
from prefixqa.service.prompts import Messages
from prefixqa.service.schema import Strict, response_format
from prefixqa.service.store import key_of

LIMITS = ("max_completion_tokens", "max_tokens")
OWN = ("model", "messages", "n", "stream", "response_format")  # of the body; not for extra_body


@dataclass(frozen=True)
class Request:
    """A chat completion: its kind for the accounts, and the body that is sent."""

    kind: str
    body: dict[str, Any]

    def key(self, service: str, attempt: str) -> str:
        """The key of its response; ``attempt`` tells samples of one request apart."""
        return key_of([service, self.body, attempt])

    def most_tokens(self) -> tuple[int, int]:
        """The most tokens that it can take, in and out: no token is less than a byte."""
        room = max(each for name in LIMITS if isinstance(each := self.body.get(name), int))
        return len(json.dumps(self.body, ensure_ascii=False).encode("utf-8", "replace")), room


def make_request(
    settings: ServiceConfig,
    kind: str,
    messages: Messages,
    schema: type[Strict],
    max_tokens: int,
    seed: int,
    model: str | None = None,
    temperature: float | None = None,
) -> Request:
    """The request for an object of a schema.

    Args:
        max_tokens: room for the answer, without thoughts. seed: of its sampling.
        model, temperature: others than those of the settings.
    """
    # Compatible services know the old name of this limit; OpenAI's newer models only the new one.
    limit = "max_tokens" if settings.base_url else "max_completion_tokens"
    body: dict[str, Any] = {
        "model": model or settings.model,
        "messages": messages,
        limit: max(max_tokens, settings.answer_tokens or 0),
    }
    if settings.send_seed:
        body["seed"] = seed
    if (heat := settings.temperature if temperature is None else temperature) >= 0:
        body["temperature"] = heat
    if (wanted := response_format(schema, settings.structured)) is not None:
        body["response_format"] = wanted
    return Request(kind, body | settings.extra_body)


def check_extra(extra: dict[str, Any]) -> None:
    """
    Raises:
        ValueError: ``extra_body`` has what the suite itself says, or what JSON cannot hold.
    """
    if taken := sorted(set(extra) & set(OWN)):
        raise ValueError(f"openai.extra_body: {taken[0]} is said by the suite itself; leave it out")
    for name in LIMITS:
        if name in extra and not (isinstance(extra[name], int) and extra[name] >= 1):
            raise ValueError(f"openai.extra_body: {name} is {extra[name]!r}; expected at least 1")
    try:
        json.dumps(extra, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"openai.extra_body cannot be sent as JSON: {error}") from None
