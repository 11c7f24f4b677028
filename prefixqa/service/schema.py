"""Schemas of what the model is asked for, and how its text is read."""

import json
import re
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    """The text as an object of the schema; words or a code fence around the JSON are ignored.

    Raises:
        UnreadableError: no JSON in the text, or JSON of another shape.
    """
    try:
        return schema.model_validate(find_json(text))
    except ValidationError as error:
        raise UnreadableError("schema", _first(error)) from error


def read_proposals(text: str) -> tuple[list[Proposal], list[tuple[dict[str, Any], str]]]:
    """The pairs in a text, and those that break the schema with what is wrong with each.

    Raises:
        UnreadableError: there is no list of pairs at all.
    """
    content = find_json(text)
    pairs = content.get("pairs") if isinstance(content, dict) else None
    if not isinstance(pairs, list):
        raise UnreadableError("schema", "no list 'pairs'")
    good, bad = [], []
    for pair in pairs:
        try:
            good.append(Proposal.model_validate(pair))
        except ValidationError as error:
            shown = pair if isinstance(pair, dict) else {"value": pair}
            bad.append((shown, _first(error)))
    return good, bad


def find_json(text: str) -> Any:
    """The JSON object in a text.

    Raises:
        UnreadableError: there is none, or it is cut off.
    """
    inside = re.search(r"```(?:json)?\s*(.*?)```", text, re.DOTALL)
    body = inside[1] if inside else text
    start = body.find("{")
    if start < 0:
        raise UnreadableError("no_json", "no JSON object in the answer")
    try:
        return json.JSONDecoder().raw_decode(body[start:])[0]
    except (ValueError, RecursionError) as error:
        raise UnreadableError("no_json", f"not JSON ({error})") from error


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
