"""The leaderboard's schema, and the check that its rows may stand beside each other.

One row is one run: a model, a task and subtask, a length, a method with its settings. ``Row`` says what each
column holds; ``python -m bench.report leaderboard schema=true`` prints it as JSON Schema. ``problems``
refuses rows that would compare what cannot be compared, each with its number (1 is the first one).
"""

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bench.config.errors import InputError
from bench.records.provenance import same_code
from bench.reporting.output import as_meant
from bench.reporting.variants import DENSE

# What rows of one comparison share; the setting stands for prompts, seed and numbers of questions.
COMPARISON = ("model", "task", "subtask", "context_length", "setting", "data", "prompts")
METHOD = ("method", "rule", "depth", "variant", "asked", "window", "dtype", "device")

ROUNDING = 0.002  # of cells that somebody has written with three digits

Share = Annotated[float, Field(ge=0, le=1)]
Time = Annotated[float, Field(ge=0)]


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


def _optional(kind: Any) -> Any:
    return Annotated[kind | None, BeforeValidator(_empty_is_none)]


Name = Annotated[str, Field(min_length=1)]
OptionalShare: Any = _optional(Share)
OptionalFloat: Any = _optional(Annotated[float, Field(allow_inf_nan=False)])
OptionalTime: Any = _optional(Time)
OptionalInt: Any = _optional(int)


class Row(BaseModel):
    """One row of ``leaderboard.csv``; an empty cell is a value that does not exist."""

    model_config = ConfigDict(extra="allow")  # a task's other metrics: score_NAME

    model: Name = Field(description="name of the model")
    task: Name = Field(description="ruler, longbench, prefixqa or probes")
    subtask: Name = Field(description="its part, with parameters that were changed")
    context_length: OptionalInt = Field(description="tokens of a row; empty: rows have their own")
    method: Name = Field(description="full is the dense row that others are compared with")
    depth: OptionalInt = Field(description="levels of clusters; empty: no clusters")
    sparsity: OptionalShare = Field(
        description="share of keys that was to be left out, if so asked"
    )
    kv_budget: float = Field(gt=0, allow_inf_nan=False, description="measured share of bytes read")
    score: Share = Field(description="mean over n questions")
    score_ci_low: OptionalShare = Field(
        description="95 % interval, whole contexts drawn; Wilson's where draws do not differ"
    )
    score_ci_high: OptionalShare
    full_score: OptionalShare = Field(description="of the dense row, on the same questions")
    delta: OptionalFloat = Field(description="score - full_score, paired by question")
    n: int = Field(ge=1, description="questions")
    prefill_ms: OptionalTime = Field(
        description="median time of a user input's prefill, its part of a batch"
    )
    decode_ms_per_token: OptionalTime = Field(description="median over questions, as above")
    index_bytes: int = Field(ge=0, description="index beyond keys and values; 0: none")
    commit: Name = Field(description="of the suite's code; -dirty: with changes of its own")
    rule: str = Field(description="threshold, topk or topp")
    variant: str = Field(description="settings that differ from the defaults")
    lookup_budget: OptionalFloat = Field(description="part of kv_budget that the lookup read")
    measured_sparsity: OptionalFloat = Field(description="share of keys that was left out")
    asked: str = Field(description="the size that was asked for, in words")
    prompts: str = Field(description="name of the prompt set")
    setting: Name = Field(description="hash of what rows of one table share")
    data: str = Field(description="fingerprint of the data; empty: generated")
    run: Name = Field(description="folder of the records")


@dataclass(frozen=True)
class Problem:
    """Why a row is refused. ``number``: 1 is the first row below the header."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"row {self.number}: {self.reason}"


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a leaderboard file, as text.

    Raises:
        InputError: it cannot be read, or a column is missing.
    """
    try:
        return parse(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the leaderboard {path}: {error}") from error


def parse(text: str, name: str) -> list[dict[str, str]]:
    """The rows of a leaderboard's text; ``name`` is for messages.

    Raises:
        InputError: a column is missing, or a row has more or fewer cells than the header.
    """
    reader = csv.DictReader(io.StringIO(text), restkey="", strict=True)
    try:
        missing = [column for column in Row.model_fields if column not in (reader.fieldnames or ())]
        if missing:
            raise InputError(f"{name} is no leaderboard: it lacks the columns {', '.join(missing)}")
        rows = list(reader)
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: not CSV ({error})") from error
    for number, row in enumerate(rows, start=1):
        if "" in row or None in row.values():
            columns = len(reader.fieldnames or ())
            raise InputError(f"{name}, row {number}: expected {columns} cells, as in the header")
    return [{column: as_meant(cell) for column, cell in row.items()} for row in rows]


def problems(rows: list[dict[str, str]]) -> list[Problem]:
    """All rows that must not be compared, in order; empty if there are none."""
    found = _wrong_types(rows)
    wrong = {problem.number for problem in found}
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows, start=1):
        if number not in wrong:
            groups[tuple(row[name] for name in COMPARISON)].append(number)
    for numbers in groups.values():
        found += _comparison(rows, numbers)
    return sorted(found, key=lambda problem: problem.number)


def _wrong_types(rows: list[dict[str, str]]) -> list[Problem]:
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            Row.model_validate(row)
        except ValidationError as error:
            first = error.errors()[0]
            column, message = first["loc"][0], first["msg"]
            found.append(Problem(number, f"{column} is {row[str(column)]!r}: {message}"))
            continue
        if (reason := _contradiction(row)) is not None:
            found.append(Problem(number, reason))
    return found


def _contradiction(row: dict[str, str]) -> str | None:
    """What numbers of one row cannot all be true; None: they can."""
    for name in ("score", "delta"):
        value, low, high = (
            _number(row, each) for each in (name, f"{name}_ci_low", f"{name}_ci_high")
        )
        if None not in (value, low, high) and not low - ROUNDING <= value <= high + ROUNDING:
            return f"{name} is {value:g}, outside of its interval from {low:g} to {high:g}"
    score, full, delta = (_number(row, each) for each in ("score", "full_score", "delta"))
    all_paired = row.get("paired_n") in (None, "", row["n"])
    if all_paired and None not in (score, full, delta) and abs(score - full - delta) > ROUNDING:
        return (
            f"delta is {delta:g}, but score {score:g} less full_score {full:g} is {score - full:g}"
        )
    return None


def _number(row: dict[str, str], column: str) -> Any:
    """The number in a cell; None where the column or the cell is empty, or holds none."""
    try:
        return float(row.get(column) or "nothing")
    except ValueError:
        return None


def _comparison(rows: list[dict[str, str]], numbers: list[int]) -> list[Problem]:
    """Problems of rows that stand for the same questions to the same model."""
    found = []
    seen: dict[tuple[str, ...], int] = {}
    dense = next((number for number in numbers if rows[number - 1]["method"] == DENSE), None)
    for number in numbers:
        row = rows[number - 1]
        key = tuple(row.get(name, "") for name in METHOD)
        if "+" in row["commit"]:
            found.append(Problem(number, f"its records are of several commits, {row['commit']}"))
        elif key in seen:
            found.append(Problem(number, f"the same method and settings as row {seen[key]}"))
        elif dense is None:
            found.append(Problem(number, f"no dense row (method {DENSE}) for {_where(row)}"))
        elif not same_code(row["commit"], rows[dense - 1]["commit"]):
            of_dense = f"{rows[dense - 1]['commit']} of its dense row {dense}"
            found.append(Problem(number, f"commit {row['commit']}, but {of_dense}"))
        seen.setdefault(key, number)
    return found


def _where(row: dict[str, str]) -> str:
    return ", ".join(f"{name} {row[name]}" for name in COMPARISON if row[name])
