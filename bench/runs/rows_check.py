"""Whether a run can go on: both halves of it must have the same prompts, and the same weights."""

from collections.abc import Sequence
from typing import Any

from bench.config.errors import InputError
from bench.runs.questions import Context


def row_fingerprints(records: Sequence[dict[str, Any]]) -> set[str]:
    """The fingerprints of rows that records were asked; records of before there were any have none."""
    found = (record.get("provenance", {}).get("rows") for record in records)
    return {each for each in found if each is not None}


def require_same_rows(
    records: Sequence[dict[str, Any]], groups: Sequence[Context], now: str
) -> None:
    """Checks that a run can go on.

    Args:
        records: of the run, so far. now: fingerprint of the rows in ``groups``.

    Raises:
        InputError: other rows; says what differs and what to do.
    """
    others = row_fingerprints(records) - {now}
    if others:
        raise InputError(
            f"{len(records)} records there were asked other rows ({min(others)}, now {now}): "
            f"{_difference(records, groups)}; bring back the tokenizer, template or data of then, or remove "
            "the run's folder and start it again"
        )


def require_same_weights(records: Sequence[dict[str, Any]], now: str) -> None:
    """Checks that a run can go on with a model that was loaded.

    Its folder is found by names, sizes and the ends of the checkpoint's files, which other weights may share.

    Args:
        records: of the run, so far; those of earlier versions do not say. now: fingerprint of the weights.

    Raises:
        InputError: other weights answered some.
    """
    found = {record.get("provenance", {}).get("weights") for record in records}
    if others := found - {None, now}:
        raise InputError(
            f"{len(records)} records there were answered by other weights ({min(others)}, now {now}), in "
            "files of the same names and sizes; bring back the checkpoint of then, or give this one a folder "
            "of its own: results=FOLDER"
        )


def _difference(records: Sequence[dict[str, Any]], groups: Sequence[Context]) -> str:
    """What is different, of the first record where it shows."""
    asked = {each.row.id: (group, each) for group in groups for each in group.examples}
    for record in records:
        name = record["id"]
        if name not in asked:
            return f"there is no row {name} any more"
        group, example = asked[name]
        if record.get("context") != group.key:
            return f"the fixed context of {name} has other tokens"
        if record.get("question_tokens") != example.question_ids.numel():
            return f"the user input of {name} has other tokens"
        if record.get("answers") != example.row.answers:
            return f"{name} has other answers"
    return "the number of rows, or the words of a user input"
