"""What makes a folder of rows a data set for others: a manifest with checksums, and a card."""

import hashlib
import json
from pathlib import Path
from typing import Any

from rows.row import Row
from rows.whole import write_bytes

MANIFEST, CARD = "manifest.json", "README.md"
SETTINGS = (
    *("length", "seed", "prompts", "haystack", "tokenizer", "tokenizer_fingerprint", "source"),
    *("questions_per_context", "essays", "documents", "text", "chat"),
    "compat",
)
SOURCES = {
    "squad": "SQuAD 2.0 (Rajpurkar, Jia, Liang 2018), CC BY-SA 4.0",
    "hotpotqa": "HotpotQA (Yang et al. 2018), CC BY-SA 4.0",
    "factbook": "The World Factbook of 2015, public domain; values are swapped between countries",
}


def note(folder: Path, path: Path, rows: list[Row]) -> None:
    """Adds a file of ``folder`` to its manifest, and writes the card anew.

    Raises:
        ValueError: there is another kind of manifest or card. OSError: they cannot be written.
    """
    manifest = read_manifest(folder)
    content = path.read_bytes()
    meta = rows[0].meta
    manifest["files"][path.relative_to(folder).as_posix()] = {
        "subtask": rows[0].subtask,
        "rows": len(rows),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "generator": meta["generator"],
        **{name: meta[name] for name in SETTINGS if meta.get(name) is not None},
    }
    write_bytes(folder / MANIFEST, (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())
    write_bytes(folder / CARD, card(manifest).encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, an empty one if there is none.

    Raises:
        ValueError: the file is not a manifest, or a card of others stands in its place.
    """
    path = folder / MANIFEST
    if not path.exists():
        if (folder / CARD).exists():
            raise ValueError(f"{folder / CARD} is there already and not ours; give another out=")
        return {"files": {}}
    try:
        manifest = json.loads(path.read_text())
        if isinstance(manifest["files"], dict):
            return manifest
    except (ValueError, KeyError, TypeError):
        pass
    raise ValueError(f"{path} is not a manifest of this command; give another out=, or remove it")


def check(folder: Path) -> list[str]:
    """The files of a manifest that are not there any more, or not as they were written."""
    wrong = []
    for name, entry in read_manifest(folder)["files"].items():
        path = folder / name
        good = path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
        wrong += [] if good else [name]
    return wrong


def card(manifest: dict[str, Any]) -> str:
    """The data set's card, with a configuration for each file, as ``datasets`` reads it."""
    files = sorted(manifest["files"].items())
    lines = ["---", "language: en", "tags: [long-context, ruler]", "configs:"]
    loadable = of_one_kind(manifest)
    for name in loadable:
        lines += [f"- config_name: {config_name(name)}", "  data_files:"]
        lines += ["  - split: test", f"    path: {json.dumps(name)}"]
    lines += ["---", "", "# RULER rows", ""]
    lines += [
        "Long-context questions after RULER (Hsieh et al. 2024, arXiv 2404.06654), made by "
        "`python -m ruler`.",
        "A row is one question about one fixed context; rows with one `context` belong together.",
        "The model reads `context`, then `question` and `answer_prefix`, and generates up to",
        "`max_new_tokens` tokens. `answers` are the texts to find in what it says. `meta` says how the",
        "row was made, and where in the context the answers stand (`positions`, in tokens, and",
        "`depths`, as a share of the context); in Parquet it is JSON text.",
        "",
        "| file | subtask | rows | tokens | prompts | tokenizer | haystack | seed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in files:
        columns = ("subtask", "rows", "length", "prompts", "tokenizer", "haystack", "seed")
        cells = [str(entry.get(each, "")) for each in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    used = sorted({entry["source"] for _, entry in files if "source" in entry})
    if texts := sorted({entry["text"] for _, entry in files if "text" in entry}):
        lines += ["", "Text comes from:", "", *(f"- {each}" for each in texts)]
    if used:
        lines += ["", "Documents come from:", "", *(f"- {SOURCES[each]}" for each in used)]
    lines += ["", f"Checksums (SHA-256) are in `{MANIFEST}`.", ""]
    first = config_name(loadable[0])
    lines += ["```python", "from datasets import load_dataset", ""]
    lines += [f'rows = load_dataset("FOLDER", "{first}", split="test")', "```", ""]
    return "\n".join(lines)


def of_one_kind(manifest: dict[str, Any]) -> list[str]:
    """The files that ``datasets`` is told of: it reads one format in a folder, so the one with more
    files, or Parquet."""
    names = sorted(manifest["files"])
    parquet = [name for name in names if name.endswith(".parquet")]
    others = [name for name in names if not name.endswith(".parquet")]
    return others if len(others) > len(parquet) else parquet


def config_name(file: str) -> str:
    """Name under which ``datasets`` finds a file, for instance ``niah_single_1_4096``."""
    path = Path(file)
    return f"{path.parent.as_posix().replace('/', '_')}_{path.stem}"
