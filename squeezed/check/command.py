"""``python -m squeezed check``: one model folder by its configuration, or all types that transformers knows.

python -m squeezed check FOLDER                      what is supported and why not, before weights are loaded
python -m squeezed check --all --out docs/models.md  every causal-LM type as a tiny random model

Exit codes: 0 supported, or none of all is wrong; 1 refused, or some are wrong; 2 bad input.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from squeezed.check.verdict import CRASHED, WRONG


def main(arguments: Sequence[str] | None = None, prog: str = "python -m squeezed check") -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog=prog, description="Says which models the engine reproduces exactly, and why not."
    )
    parser.add_argument("model", nargs="?", help="folder of a model, of which config.json is read")
    parser.add_argument("--all", action="store_true", help="judge tiny models of all known types")
    parser.add_argument(
        "--out", type=Path, help="with --all: write the table, Markdown, to this file"
    )
    parser.add_argument("--types", help="with --all: only these model types, a comma between two")
    parser.add_argument("--variants", help="with --all: default, a RoPE type, bf16, or all")
    parser.add_argument("--work", type=Path, help="with --all: verdicts so far, to resume from")
    asked = parser.parse_args(arguments)
    if asked.all == (asked.model is not None):
        parser.error("give the folder of a model, or --all")
    return _all(asked) if asked.all else _one(asked.model)


def _one(model: str) -> int:
    from transformers import AutoConfig

    from squeezed.check.of_config import report

    try:
        config = AutoConfig.from_pretrained(model, local_files_only=True)
        found = report(config)
    except (OSError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(found.text())
    return 1 if found.reasons else 0


def _all(asked: argparse.Namespace) -> int:
    from squeezed.check import sweep, table
    from squeezed.check.tiny import model_types, seeing_types
    from squeezed.check.variants import DEFAULT, VARIANTS

    variants = _chosen(asked.variants or DEFAULT, VARIANTS, "variant")
    types = _chosen(asked.types or "all", (*model_types(), *seeing_types()), "model type")
    if variants is None or types is None:
        return 2
    writing = set(model_types())
    jobs = [(t, v) for v in variants for t in types if t in writing or v == DEFAULT]
    with tempfile.TemporaryDirectory() as folder:
        work = asked.work or Path(folder) / "verdicts.jsonl"
        found = sweep.sweep(jobs, sweep.read(work), sweep.write(work))
    print(table.counts(found))
    if asked.out is not None:
        table.write(asked.out, found)
    return int(any(each.outcome in (WRONG, CRASHED) for each in found.values()))


def _chosen(asked: str, known: Sequence[str], what: str) -> Sequence[str] | None:
    """The names asked for; ``None``, and a message, if one of them is unknown."""
    names = list(known) if asked == "all" else asked.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        print(
            f"error: {', '.join(unknown)}: no {what}; known are {', '.join(known)}", file=sys.stderr
        )
        return None
    return names
