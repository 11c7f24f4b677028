"""What the folder of a run holds, checked before anything is computed from it: identity and records.

The fields here are those that every table needs; tasks add their own. docs/records.md explains them all.
"""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.config.errors import RunError
from bench.records.files import DAMAGED, read_records
from rows import strict_json

AGAIN = "start the run again: it writes the file anew"
Text = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False, lt=1e15)]
NotNegative = Annotated[Number, Field(ge=0)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]


class Loose(BaseModel):
    """Types as in JSON; fields that are not named here may be anything."""

    model_config = ConfigDict(extra="allow", strict=True)


class Record(Loose):
    """One answered question."""

    id: Text
    context: str
    score: Annotated[float, Field(ge=0, le=1)]
    kv_budget: NotNegative
    prefill_ms: NotNegative | None
    decode_ms_per_token: NotNegative | None
    prepare_ms: NotNegative
    method_ms: NotNegative = 0
    batch: Annotated[Count, Field(ge=1)] = 1
    index_bytes: Count
    meta: dict[str, Any]
    commit: Text
    metrics: dict[str, Number] = {}
    lookup_budget: NotNegative | None = None
    answer_budget: NotNegative | None = None
    context_tokens: Count | None = None


class Model(Loose):
    name: Text
    dtype: str
    device: str


class Task(Loose):
    name: Text
    label: Text
    length: Count | None
    samples: Count | None
    questions_per_context: Count | None
    seed: int | None
    data: str | None = None


class Method(Loose):
    name: Text
    rule: str = ""
    depth: Count | None = None
    sparsity: NotNegative | None = None
    kv_budget: NotNegative | None = None
    kv_tokens: Count | None = None
    top_p: NotNegative | None = None
    calibration_inputs: Count = 0
    calibration_pieces: Count = 0


class Index(Loose):
    window: Count | None = None
    levels: list[Number] = []


class Identity(Loose):
    """What decides a run."""

    model: Model
    task: Task
    method: Method
    index: Index = Index()


class Config(Loose):
    identity: Identity


def read_identity(path: Path) -> dict[str, Any]:
    """The identity in a run's ``config.json``.

    Raises:
        RunError: it is damaged.
    """
    try:
        config = strict_json.loads(path.read_bytes())
        Config.model_validate(config)
    except ValidationError as error:
        raise RunError(f"{path} is damaged: {_first(error)}; {AGAIN}") from error
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is damaged: {error}; {AGAIN}") from error
    identity: dict[str, Any] = config["identity"]
    return identity


def read_complete_records(path: Path) -> list[dict[str, Any]]:
    """The records of a run, each with what the tables need.

    Raises:
        RunError: one is damaged; names its line.
    """
    records = read_records(path)
    for record in records:
        if found := flaw(record):
            name = json.dumps(record["id"])
            raise RunError(
                f"{path}: the record {name} is damaged: {found}. Start the run again: it moves the line to "
                f"{DAMAGED} and answers that example anew"
            )
    return records


def flaw(record: dict[str, Any]) -> str | None:
    """What a record lacks that every table needs, in words; None if it is whole."""
    try:
        Record.model_validate(record)
    except ValidationError as error:
        return _first(error)
    return None


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    return f"{'.'.join(map(str, found['loc'])) or 'the file'}: {found['msg']}"
