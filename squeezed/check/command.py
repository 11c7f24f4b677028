"""``python -m squeezed check``: one model folder by its configuration, or all types that transformers knows.

Exit codes: 0 supported, or none of all is wrong; 1 refused, or some are wrong; 2 bad input.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from squeezed.check.verdict import CRASHED, WRONG

USAGE = """python -m squeezed check FOLDER_OR_FILE.gguf
python -m squeezed check all=true [key=value ...]

Says which models the engine reproduces exactly, and why not.

  FOLDER     of a model: its config.json is read, no weights; of a GGUF file only what stands before them
  all=true   judge a tiny random model of every causal-LM type that transformers knows; then
    types=all         only these model types, a comma between two
    variants=default  default, a RoPE type, bf16, or all
    out=FILE          write the table, Markdown, to this file
    work=FILE         verdicts so far, to resume from"""
KEYS = ("all", "types", "variants", "out", "work")
FEW = 12  # names that a message shows


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if {"-h", "--help"} & set(given):
        print(USAGE)
        return 0
    pairs = (each.partition("=") for each in given)
    settings = {name: value for name, equals, value in pairs if equals and name in KEYS}
    folders = [each for each in given if each.partition("=")[0] not in KEYS]
    if any(each.startswith("-") for each in folders):
        folders = []
    if settings.get("all") == "true" and not folders:
        return _all(settings)
    if not settings and len(folders) == 1:
        return _one(folders[0])
    usage = ", or ".join(USAGE.splitlines()[:2])
    print(f"error: cannot read {' '.join(given)!r}; {usage}", file=sys.stderr)
    return 2


def _one(model: str) -> int:
    from transformers import AutoConfig

    from squeezed.check.of_config import report

    file = Path(model) if model.lower().endswith(".gguf") else None
    if reason := _no_model(Path(model), file is not None):
        print(f"error: {model}: {reason}", file=sys.stderr)
        return 2
    try:
        config = AutoConfig.from_pretrained(
            model if file is None else str(file.absolute().parent),
            gguf_file=None if file is None else file.name,
            local_files_only=True,
        )
        found = report(config)
    except ImportError:
        print(f"error: {model}: reading a GGUF file needs: pip install gguf", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        said = " ".join(str(error).split())
        if not Path(model).exists():
            said = "there is no such folder, nor a model of that name in the hub's cache on this machine"
        print(f"error: {model}: {said}", file=sys.stderr)
        return 2
    print(found.text())
    if file is not None:
        print(
            "(as transformers reads the file; it leaves some settings out, which squeezed-bench puts right "
            "or refuses: docs/real-models.md)"
        )
    return 1 if found.reasons else 0


def _no_model(path: Path, is_file: bool) -> str | None:
    """Why a path is no model, in words of our own: transformers' are about its hub."""
    if is_file:
        return None if path.is_file() else "there is no such file"
    if path.is_dir():
        if (path / "config.json").is_file():
            return None
        if (path / "adapter_config.json").is_file():
            return "it is an adapter; give the folder of the model that it belongs to"
        return "the folder holds no config.json; give the folder of a model"
    # OWNER/NAME may be in the hub's cache on this machine; anything else can only be a path.
    of_the_hub = (
        not path.is_absolute() and len(path.parts) <= 2 and path.parts[0] not in (".", "..")
    )
    return None if of_the_hub else "there is no such folder"


def _all(asked: dict[str, str]) -> int:
    from squeezed.check import sweep, table
    from squeezed.check.tiny import model_types, seeing_types
    from squeezed.check.variants import DEFAULT, VARIANTS

    variants = _chosen(asked.get("variants", DEFAULT), VARIANTS, "variant")
    types = _chosen(asked.get("types", "all"), (*model_types(), *seeing_types()), "model type")
    if variants is None or types is None:
        return 2
    writing = set(model_types())
    jobs = [(t, v) for v in variants for t in types if t in writing or v == DEFAULT]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(asked.get("work") or Path(folder) / "verdicts.jsonl")
        found = sweep.sweep(jobs, sweep.read(work), sweep.write(work))
    print(table.counts(found))
    if "out" in asked:
        table.write(Path(asked["out"]), found)
    return int(any(each.outcome in (WRONG, CRASHED) for each in found.values()))


def _chosen(asked: str, known: Sequence[str], what: str) -> Sequence[str] | None:
    """The names asked for; ``None``, and a message, if one of them is unknown."""
    names = list(known) if asked == "all" else asked.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        if len(known) <= FEW:
            hint = f"known are {', '.join(known)}"
        else:
            close = [name for each in unknown for name in difflib.get_close_matches(each, known)]
            near = f"near are {', '.join(close[:FEW])}; " if close else ""
            hint = f"{near}docs/models.md has them all"
        print(f"error: {', '.join(unknown)}: no {what}; {hint}", file=sys.stderr)
        return None
    return names
