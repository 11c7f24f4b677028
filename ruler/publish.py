"""What makes a folder of RULER rows a data set for others: what its manifest says, and its card."""

import json
from pathlib import Path
from typing import Any

from rows import publish
from rows.publish import MANIFEST, config_name, of_one_kind
from rows.row import Row

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
    meta = rows[0].meta
    entry = {
        "subtask": rows[0].subtask,
        "rows": len(rows),
        "generator": meta["generator"],
        **{name: meta[name] for name in SETTINGS if meta.get(name) is not None},
    }
    publish.note(folder, path, entry, card)


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
