"""Schemas of what the model is asked for, and how its text is read."""

import json
import re
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

THOUGHTS_END = "</think>"  # what stands before it is no answer
MOST_BROKEN = 1000  # beginnings of objects that are none, in one answer
_BEGINS = re.compile(r'\{\s*["}]')
QuestionType = Literal["factual", "definition", "method", "numeric", "comparison", "multi-span"]


class Strict(BaseModel):
    """No field may be missing and none added; the same is asked of the service."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Proposal(Strict):
    """A pair as the model proposes it; ``evidence`` are quotations from the passage."""

    question: str = Field(min_length=8, max_length=400)
    answer: str = Field(min_length=1, max_length=300)
    type: QuestionType
    evidence: list[str] = Field(min_length=1, max_length=4)


class Proposals(Strict):
    pairs: list[Proposal]


class Answer(Strict):
    """The answer to question ``number``; empty if the model does not know."""

    number: int
    answer: str


class Answers(Strict):
    answers: list[Answer]


class Verdict(Strict):
    """What a judge thinks of pair ``number``."""

    number: int
    good: bool
    reason: str


class Verdicts(Strict):
    verdicts: list[Verdict]


Schema = TypeVar("Schema", bound=Strict)


class UnreadableError(ValueError):
    """A model's text that is not what was asked for. ``kind``: ``no_json`` or ``schema``."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read(schema: type[Schema], text: str) -> Schema:
    """The last object of the schema in a text; thoughts, words and code fences around it are ignored.

    Raises:
        UnreadableError: no JSON in the text, or JSON of another shape.
    """
    flaw: ValidationError | None = None
    for found in reversed(objects(text)):
        try:
            return schema.model_validate(found)
        except ValidationError as error:
            flaw = flaw or error
    raise _none() if flaw is None else UnreadableError("schema", _first(flaw))


def read_proposals(text: str) -> tuple[list[Proposal], list[tuple[dict[str, Any], str]]]:
    """The pairs in the last list of pairs in a text, and those that break the schema with what is wrong
    with each.

    Raises:
        UnreadableError: there is no list of pairs at all.
    """
    found = objects(text)
    if not found:
        raise _none()
    lists = [each["pairs"] for each in found if isinstance(each.get("pairs"), list)]
    if not lists:
        raise UnreadableError("schema", "no list 'pairs'")
    good, bad = [], []
    for pair in lists[-1]:
        try:
            good.append(Proposal.model_validate(pair))
        except ValidationError as error:
            shown = pair if isinstance(pair, dict) else {"value": pair}
            bad.append((shown, _first(error)))
    return good, bad


def objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects of a text in their order, without those inside others and without thoughts.

    After what is no JSON, reading goes on where it broke off, so odd text takes no longer than other text.
    """
    text = text[text.rfind(THOUGHTS_END) + len(THOUGHTS_END) :] if THOUGHTS_END in text else text
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    broken, after = 0, 0
    while broken < MOST_BROKEN and (begins := _BEGINS.search(text, after)):
        try:
            value, after = decoder.raw_decode(text, begins.start())
            found.append(value)
        except json.JSONDecodeError as error:
            broken, after = broken + 1, max(error.pos, begins.start() + 1)
        except (ValueError, RecursionError):  # a number too long to read; nested too deeply
            break
    return found


def _none() -> UnreadableError:
    return UnreadableError("no_json", "no JSON object in the answer")


def response_format(schema: type[Strict], structured: str) -> dict[str, Any] | None:
    """What to send as ``response_format``; None for a service that knows no structured output."""
    if structured == "json_schema":
        body = {"name": schema.__name__, "strict": True, "schema": _portable(schema)}
        return {"type": "json_schema", "json_schema": body}
    return {"type": "json_object"} if structured == "json_object" else None


def _portable(schema: type[Strict]) -> dict[str, Any]:
    """The JSON schema without the limits that strict modes of services refuse; they are checked here."""
    limits = ("minLength", "maxLength", "minItems", "maxItems", "title")

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: without(each)
                for key, each in value.items()
                if key not in limits or not isinstance(each, str | int)
            }
        return value

    return dict(without(schema.model_json_schema()))


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    place = ".".join(map(str, found["loc"])) or "object"
    return f"{place}: {found['msg']}"
