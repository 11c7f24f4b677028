"""What a service answered: a body of JSON becomes a response, whatever is in it.

Compatible services differ in more than their protocol says: text as a list of parts, thoughts beside it, no
count of tokens, an error under the status of success. An answer is paid whether it is usable or not, so only
what is no answer at all is refused; the rest is kept, with the text that can be read from it.
"""

import json
from dataclasses import dataclass
from typing import Any

MOST_TOKENS = 10**9  # a count beyond this is none
_TEXT = ("text", "output_text")


@dataclass(frozen=True)
class Response:
    """What a service answered.

    Attributes:
        content: the text, None if there is none that can be read. finish: the service's finish reason.
        refusal: the model's refusal in words, if it refused.
        tokens_in, tokens_out: as the service counted them; 0 where it does not say.
        estimated: whether one of them was estimated here, because the service does not say.
    """

    content: str | None
    finish: str
    refusal: str | None
    tokens_in: int
    tokens_out: int
    estimated: bool = False


class ReplyError(ValueError):
    """The body is no chat completion; the message is the service's own words, if there are any."""


def read_reply(content: bytes) -> Response:
    """The response in a body.

    Raises:
        ReplyError: the body is no chat completion.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):  # bytes that are no text are a ValueError, too
        raise ReplyError("the answer is no JSON") from None
    return read_body(body)


def read_body(body: Any) -> Response:
    """As ``read_reply``, of a body that is parsed already."""
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise ReplyError(words_of(body) or "the answer is no chat completion")
    finish, refusal = choice.get("finish_reason"), message.get("refusal")
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Response(
        content=text_of(message.get("content")),
        finish=_utf8(finish) if isinstance(finish, str) else "",
        refusal=_utf8(refusal) if isinstance(refusal, str) and refusal else None,
        tokens_in=_tokens(usage.get("prompt_tokens")),
        tokens_out=_tokens(usage.get("completion_tokens")),
    )


def read_kept(text: str) -> Response:
    """A response from its own JSON, as the store keeps it; what older versions kept is read as well.

    Raises:
        ReplyError: it is none.
    """
    try:
        kept = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise ReplyError("no JSON") from None
    finish = kept.get("finish") if isinstance(kept, dict) else None
    if not isinstance(finish, str) or "content" not in kept:
        raise ReplyError("no response")
    refusal = kept.get("refusal")
    return Response(
        content=text_of(kept["content"]),
        finish=finish,
        refusal=refusal if isinstance(refusal, str) else None,
        tokens_in=_tokens(kept.get("tokens_in")),
        tokens_out=_tokens(kept.get("tokens_out")),
        estimated=kept.get("estimated") is True,
    )


def text_of(content: Any) -> str | None:
    """The text of a message's content: as it is, of its parts without thoughts, or an object as JSON."""
    if isinstance(content, str):
        return _utf8(content)
    if isinstance(content, dict):
        try:
            return _utf8(json.dumps(content, ensure_ascii=False))
        except RecursionError:
            return None
    if not isinstance(content, list):
        return None
    parts = [_part(each) for each in content]
    found = [part for part in parts if part is not None]
    return "".join(found) if found else None


def words_of(body: Any) -> str:
    """What a service says of an error, in one line; empty if it says nothing."""
    if isinstance(body, dict):
        for name in ("error", "message", "detail", "msg"):
            if found := words_of(body.get(name)):
                return found
        return ""
    if isinstance(body, list):
        return words_of(body[0]) if body else ""
    return " ".join(_utf8(body).split())[:300] if isinstance(body, str) else ""


def _part(part: Any) -> str | None:
    """The text of a part; None for thoughts and for anything else."""
    if isinstance(part, str):
        return _utf8(part)
    if not isinstance(part, dict) or part.get("type", "text") not in _TEXT:
        return None
    text = part.get("text")
    return _utf8(text) if isinstance(text, str) else None


def _tokens(value: Any) -> int:
    """A count of tokens; 0 for what is none."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if good and 0 <= value <= MOST_TOKENS else 0


def _utf8(text: str) -> str:
    """The text without halves of surrogate pairs, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
