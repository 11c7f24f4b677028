"""Writes a finished set, and tells whether a set on disk is the one that is asked for."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from prefixqa.made import Made
from prefixqa.output.card import card
from prefixqa.output.files import sha256, write_json, write_lines
from prefixqa.output.folder import MANIFEST, new_set
from prefixqa.output.parquet import write_parquet
from prefixqa.output.plots import NAME, write_plots
from prefixqa.output.splits import split_of
from prefixqa.output.statistics import statistics
from prefixqa.reading import Report
from prefixqa.rows import to_rows
from prefixqa.tokens import TokenCounter
from rows import strict_json
from rows.row import write_jsonl
from rows.whole import write_bytes

ROWS, REJECTED, CARD = "prefixqa.jsonl", "rejected.jsonl", "README.md"


class Manifest(BaseModel):
    """What is read of a manifest; the rest is for people."""

    model_config = ConfigDict(strict=True)

    settings: dict[str, Any]
    complete: bool
    documents: int
    pairs: int
    rejected: dict[str, int]
    files: dict[str, str]


def write_set(
    out: Path,
    made: list[Made],
    tokens: TokenCounter,
    settings: dict[str, Any],
    skipped: dict[str, str],
    accounts: dict[str, Any],
    complete: bool = True,
    reports: dict[str, Report] | None = None,
) -> None:
    """Writes all files of a set; they appear together, in place of those of an older set.

    Args:
        made: the documents; those without a pair are left out.
        settings: what decides the set. skipped: documents left out, and why.
        accounts: requests, tokens and costs, for the manifest.
        complete: nothing is missing that a second run could add.
        reports: of the documents that were read, by name.

    Raises:
        ValueError: no document has a pair, the split leaves no test documents, or another process writes
            into the folder.
        OSError: a file cannot be written.
    """
    full = [each for each in made if each.pairs]
    if not full:
        raise ValueError("no document gave an accepted pair, so there is no set to write")
    split = settings["split"]
    splits = split_of(
        [each.document.id for each in full], split["train"], split["validation"], settings["seed"]
    )
    rows = [row for each in full for row in to_rows(each, settings["backend"], tokens)]
    rejected = [vars(each) for one in made for each in one.rejected]
    reasons = sum((one.reasons for one in made), Counter[str]())
    numbers = statistics(rows, reasons)
    with new_set(out) as folder:
        write_jsonl(folder / ROWS, rows)
        write_lines(folder / REJECTED, rejected)
        parquet = write_parquet(rows, splits, folder / "data")
        write_plots(numbers, folder / NAME)
        write_bytes(folder / CARD, card(settings, numbers, splits, skipped, reports or {}).encode())
        files = [*(folder / name for name in (ROWS, REJECTED, NAME, CARD)), *parquet]
        write_json(
            folder / MANIFEST,
            {
                "settings": settings,
                "complete": complete,
                "documents": numbers.documents,
                "pairs": numbers.pairs,
                "types": dict(numbers.types),
                "splits": splits,
                "rejected": dict(reasons),
                "skipped": skipped,
                "read": {name: asdict(each) for name, each in (reports or {}).items()},
                "accounts": accounts,
                "files": {str(path.relative_to(folder)): sha256(path) for path in files},
            },
        )


def manifest_of(out: Path) -> dict[str, Any] | None:
    """The manifest of a set none of whose files was changed since; None otherwise."""
    try:
        manifest: dict[str, Any] = strict_json.loads((out / MANIFEST).read_bytes())
        files = Manifest.model_validate(manifest).files
        whole = all(sha256(out / name) == digest for name, digest in files.items())
    except (OSError, ValueError):  # pydantic's error is a ValueError
        return None
    return manifest if whole else None


def found_set(out: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest of an undamaged set made with these settings; None otherwise."""
    manifest = manifest_of(out)
    same = manifest is not None and manifest["settings"] == json.loads(json.dumps(settings))
    return manifest if same else None
