"""The card of a folder of rows, with declared features: by them ``datasets`` reads it.

Without, it infers types from the first 10 MiB of a JSONL file: a list that is empty so far, or an answer that
looks like a date, then gets a type that later rows do not have.
"""

import json
from pathlib import Path
from typing import Any

from probes.find import sets
from rows import publish
from rows.parquet import SCHEMA
from rows.publish import MANIFEST, config_name, of_one_kind
from rows.row import Row

SETTINGS = ("set", "length", "seed", "questions_of_a_kind", "tokenizer", "generator", "empty")
FEATURES = "features"


def note(folder: Path, path: Path, rows: list[Row]) -> None:
    """Adds a file of ``folder`` to its manifest, and writes the card anew; errors as
    ``rows.publish.note``."""
    meta = rows[0].meta
    entry = {
        "subtask": rows[0].subtask,
        "rows": len(rows),
        FEATURES: features(rows, text=path.suffix == ".parquet"),
        **{name: meta[name] for name in SETTINGS},
    }
    publish.note(folder, path, entry, card)


def features(rows: list[Row], text: bool) -> list[dict[str, Any]]:
    """The columns of a file as a card of ``datasets`` declares them. ``text``: ``meta`` is JSON text."""
    kinds: list[dict[str, Any]] = []
    for name in SCHEMA.names:
        if name == "meta" and not text:
            kinds.append({"name": name, **_kind([row.meta for row in rows])})
        else:
            kind = {"answers": {"list": "string"}, "max_new_tokens": {"dtype": "int64"}}
            kinds.append({"name": name, **kind.get(name, {"dtype": "string"})})
    return kinds


def _kind(values: list[Any]) -> dict[str, Any]:
    """The declared type of a field, from all its values."""
    if isinstance(values[0], dict):
        keys = dict.fromkeys(key for value in values for key in value)
        fields = [
            {"name": key, **_kind([value[key] for value in values if key in value])} for key in keys
        ]
        return {"struct": fields}
    if isinstance(values[0], list):
        inner = [each for value in values for each in value]
        kind = _kind(inner) if inner else {"dtype": "int64"}
        return {"list": kind.get("dtype", kind)}
    names = {bool: "bool", int: "int64", float: "float64", str: "string"}
    return {"dtype": names[type(values[0])]}


def card(manifest: dict[str, Any]) -> str:
    """The data set's card, with a configuration for each file."""
    files = sorted(manifest["files"].items())
    loadable = of_one_kind(manifest)
    lines = ["---", "language: en", "tags: [long-context, squeezed-attention]", "configs:"]
    for name in loadable:
        lines += [f"- config_name: {config_name(name)}", "  data_files:"]
        lines += ["  - split: test", f"    path: {json.dumps(name)}"]
    lines.append("dataset_info:")
    for name in loadable:
        lines.append(f"- config_name: {config_name(name)}")
        declared = json.dumps(manifest["files"][name][FEATURES])  # JSON is YAML, in one line
        lines.append(f"  features: {declared}")
    lines += ["---", "", "# Made sets that each test one thing", ""]
    lines += [
        "Made by `python -m probes`. A row is one question about one fixed context; rows with one `context`",
        "belong together. The model reads `context`, then `question` and `answer_prefix`, and generates "
        "up to",
        "`max_new_tokens` tokens. `meta` says how the row was made, where the evidence stands (`spans`, in",
        "characters), what share of the context is needed (`density`), and what guessing gets (`floor`).",
        "",
        "| file | subtask | rows | tokens | seed | tokenizer |",
        "|---|---|---|---|---|---|",
    ]
    for name, entry in files:
        cells = [str(entry[each]) for each in ("subtask", "rows", "length", "seed", "tokenizer")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "What they test:", ""]
    used = {entry["set"] for _, entry in files}
    lines += [f"- `{each.name}`: {each.about}" for each in sets().values() if each.name in used]
    lines += ["", f"Checksums (SHA-256) are in `{MANIFEST}`.", ""]
    first = config_name(loadable[0])
    lines += ["```python", "from datasets import load_dataset", ""]
    lines += [f'rows = load_dataset("FOLDER", "{first}", split="test")', "```", ""]
    return "\n".join(lines)
