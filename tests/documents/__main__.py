"""``python -m tests.documents --out DIR``: reads 20 documents of Debian's packages and reports what is left.

Needs a Debian with ``pdftotext`` (poppler-utils) and ``w3m``, and its package mirror. DIR gets ``table.md``,
the pairs (``pairs.jsonl``), and 50 of them to be read (``read.txt``; ``reading.py`` says which). Packages
are kept in DIR/packages, so that a second run fetches nothing; documents are never written anywhere.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from prefixqa.document import Document, Pair
from prefixqa.extractive import NO_MORE, extract
from prefixqa.reading import Report
from prefixqa.sources.clean import clean
from prefixqa.sources.formats import FORMATS
from prefixqa.sources.report import report
from tests.documents.packages import SOURCES, Source, fetch, unpacked
from tests.documents.reading import to_read
from tests.documents.recall import recall, without_running_heads

QUESTIONS = 24
READ_SEED = (
    25  # of the pairs to read; another one for every reading, so that no rule is made for them
)
ENOUGH_MEDIAN, ENOUGH = 0.95, 0.8  # recall: of the median, and of each document that has no warning


@dataclass(frozen=True)
class Outcome:
    """What became of one document."""

    source: Source
    version: str
    report: Report
    recall: float
    pairs: tuple[Pair, ...]
    seconds: float
    short: str | None  # what the document's line says where it has too few pairs


def reference_text(source: Source, files: dict[str, bytes]) -> str:
    """What another program reads in the document, or in the PDF of the same one."""
    if source.format == "txt":
        return files[source.path].decode("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        if source.format == "html":
            page = Path(folder) / "page.html"
            page.write_bytes(files[source.path])
            command = ["w3m", "-dump", "-cols", "200", "-O", "UTF-8", str(page)]
        else:
            paper = Path(folder) / "paper.pdf"
            paper.write_bytes(files[source.reference or source.path])
            command = ["pdftotext", str(paper), "-"]
        shown = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return without_running_heads(shown)


def examine(source: Source, files: dict[str, bytes], version: str) -> Outcome:
    """Reads, cleans and asks about one document."""
    start = time.monotonic()
    raw = FORMATS[f".{source.format}"](source.name, files[source.path])
    text = clean(raw)
    seconds = time.monotonic() - start
    document = Document(source.name, raw.title or source.name, text, source.package)
    made = extract(document, QUESTIONS, seed=0)
    share = recall(reference_text(source, files), text)
    short = made.shortage(QUESTIONS, NO_MORE)
    return Outcome(source, version, report(raw, text), share, made.pairs, seconds, short)


def table(outcomes: list[Outcome]) -> str:
    """A Markdown table, one row a document, and the median."""
    lines = [
        "| document | format | package | characters in | out | word recall | pairs | warning |",
        "|:---|:---|:---|---:|---:|---:|---:|:---|",
    ]
    for each in outcomes:
        warning = "; ".join(filter(None, (each.report.warning, each.short)))
        lines.append(
            f"| {each.source.name} | {each.source.format} | {each.source.package} {each.version} "
            f"| {each.report.characters_in} | {each.report.characters_out} | {each.recall:.3f} "
            f"| {len(each.pairs)} | {warning} |"
        )
    median = statistics.median(each.recall for each in outcomes)
    total = sum(len(each.pairs) for each in outcomes)
    lines.append(f"| median, and all pairs | | | | | {median:.3f} | {total} | |")
    return "\n".join(lines) + "\n"


def shortfalls(outcomes: list[Outcome]) -> list[str]:
    """What is not as it should be, a line each."""
    found = []
    if (median := statistics.median(each.recall for each in outcomes)) < ENOUGH_MEDIAN:
        found.append(f"median recall {median:.3f}; expected at least {ENOUGH_MEDIAN}")
    for each in outcomes:
        if each.recall < ENOUGH and not each.report.warning:
            found.append(f"{each.source.name}: recall {each.recall:.3f} without a warning")
        if len(each.pairs) < QUESTIONS and not each.short:
            found.append(f"{each.source.name}: {len(each.pairs)} pairs; expected {QUESTIONS}")
    return found


def main() -> int:
    """Exit code 1 if something falls short, 2 if a tool or a package is missing."""
    parser = argparse.ArgumentParser(prog="python -m tests.documents", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the table and the pairs"
    )
    out: Path = parser.parse_args().out
    if missing := [
        each for each in ("apt-get", "dpkg-deb", "pdftotext", "w3m") if not shutil.which(each)
    ]:
        print(
            f"{', '.join(missing)}: not found; install poppler-utils and w3m on a Debian",
            file=sys.stderr,
        )
        return 2
    packages = out / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, list[str]] = defaultdict(list)
    for source in SOURCES:
        wanted[source.package] += [each for each in (source.path, source.reference) if each]
    outcomes: list[Outcome] = []
    try:
        bar = tqdm(wanted.items(), "packages", disable=None)
        for package, paths in bar:
            bar.set_postfix_str(package)
            file = fetch(package, packages)
            files = unpacked(file, paths)
            for source in SOURCES:
                if source.package == package:
                    version = file.name.split("_")[1].replace("%3a", ":")
                    outcomes.append(examine(source, files, version))
                    last = outcomes[-1]
                    note = (
                        f"recall {last.recall:.3f}, {len(last.pairs)} pairs, {last.seconds:.1f} s"
                    )
                    tqdm.write(f"{outcomes[-1].report.line(source.name)}; {note}", file=sys.stderr)
    except OSError as error:
        print(f"tests.documents: {error}", file=sys.stderr)
        return 2
    outcomes.sort(key=lambda each: SOURCES.index(each.source))
    (out / "table.md").write_text(table(outcomes))
    with (out / "pairs.jsonl").open("w") as file_of_pairs:
        for each in outcomes:
            for pair in each.pairs:
                row = {
                    "document": each.source.name,
                    "question": pair.question,
                    "answer": pair.answers[0],
                }
                file_of_pairs.write(json.dumps(row, ensure_ascii=False) + "\n")
    drawn = [(each.source.name, pair) for each in outcomes for pair in each.pairs]
    (out / "read.txt").write_text(to_read(drawn))
    print(table(outcomes))
    for line in (short := shortfalls(outcomes)):
        print(f"falls short: {line}", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
