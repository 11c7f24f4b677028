"""The dataset card: what ``datasets.load_dataset`` needs, and what people ask first."""

from collections import Counter
from typing import Any

from prefixqa.document import TYPES
from prefixqa.output.splits import SPLITS
from prefixqa.output.statistics import Statistics, spread
from prefixqa.reading import Report

BUCKETS = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))


def card(
    settings: dict[str, Any],
    numbers: Statistics,
    splits: dict[str, str],
    skipped: dict[str, str],
    reports: dict[str, Report],
) -> str:
    """The text of README.md.

    Args:
        settings: as in the manifest. splits: of each document.
        skipped: documents that were left out, and why. reports: of those that were read.
    """
    documents = Counter(splits.values())
    parts = [
        _header(documents, numbers),
        f"# PreFixQA, backend `{settings['backend']}`\n\n"
        f"{numbers.documents} long documents with {numbers.pairs} questions. Every document is asked "
        "about many times, so it is read once and its state is kept: the case in which a fixed "
        "context pays. Made by `python -m prefixqa`; `manifest.json` holds the settings and the "
        "checksums of the files.\n",
        "## Files\n\n"
        "- `prefixqa.jsonl`: one row a question, in the row contract of the suite\n"
        "- `data/pairs/`, `data/documents/`: Parquet by split, one row a question or a document: "
        "`datasets.load_dataset(FOLDER, 'pairs')`\n"
        "- `rejected.jsonl`: what was proposed and not accepted, with the reason\n",
        "## Numbers\n\n" + _numbers(numbers) + "\n![statistics](statistics.png)\n",
        "## Question types\n\n" + _types(numbers),
        "## Depth of the evidence\n\n" + _depths(numbers),
        "## Splits\n\n" + _table(("split", "documents"), [(s, documents[s]) for s in SPLITS]),
        "## Sources and licences\n\n"
        + _table(("source", "documents"), sorted(numbers.sources.items()))
        + "\n"
        + _table(("licence", "documents"), sorted(numbers.licences.items())),
    ]
    if numbers.rejected:
        reasons = numbers.rejected.most_common()
        parts.append("## Rejected pairs\n\n" + _table(("reason", "pairs"), reasons))
    if reports:
        head = ("document", "characters in", "out", "notes")
        parts.append(
            "## Documents read\n\n" + _table(head, [_read(*each) for each in reports.items()])
        )
    if skipped:
        parts.append(
            "## Documents left out\n\n" + _table(("document", "why"), sorted(skipped.items()))
        )
    chosen = [(key, f"`{value}`") for key, value in sorted(settings.items()) if value is not None]
    parts.append("## Settings\n\n" + _table(("setting", "value"), chosen))
    return "\n".join(parts)


def _read(name: str, report: Report) -> tuple[str | int, ...]:
    """A document's line in the table of those that were read."""
    notes = [*([f"warning: {report.warning}"] if report.warning else []), *report.notes]
    return name, report.characters_in, report.characters_out, "; ".join(notes)


def _header(documents: Counter[str], numbers: Statistics) -> str:
    """The YAML block that tells ``datasets`` where the splits are."""
    lines = ["---", "task_categories: [question-answering]", "pretty_name: PreFixQA"]
    if len(numbers.licences) == 1 and (licence := next(iter(numbers.licences))) != "unknown":
        lines.append(f"license: {licence.lower()}")
    lines.append("configs:")
    for config in ("pairs", "documents"):
        lines += [f"- config_name: {config}"]
        lines += ["  default: true"] if config == "pairs" else []
        lines += ["  data_files:"]
        for split in SPLITS:
            if documents[split]:
                lines += [f"  - split: {split}", f"    path: data/{config}/{split}.parquet"]
    return "\n".join([*lines, "---", ""])


def _numbers(numbers: Statistics) -> str:
    rows = [
        ("tokens of a document", spread(numbers.tokens)),
        ("pairs of a document", spread(numbers.pairs_per_document)),
        ("words of an answer", spread(numbers.answer_words)),
    ]
    return _table(("", "smallest / median / mean / largest"), rows)


def _types(numbers: Statistics) -> str:
    rows = [
        (name, numbers.types[name], f"{numbers.types[name] / numbers.pairs:.1%}")
        for name in TYPES
        if numbers.types[name]
    ]
    return _table(("type", "pairs", "share"), rows)


def _depths(numbers: Statistics) -> str:
    rows = []
    for low, high in BUCKETS:
        count = sum(low <= depth < high or depth == high == 1 for depth in numbers.depths)
        rows.append((f"{low:.0%} to {high:.0%}", count))
    return _table(("depth", "pairs"), rows)


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    clean = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in clean)
