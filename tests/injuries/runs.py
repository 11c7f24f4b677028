"""Injuries of what a sweep has written. What is paid here is a question: a model answers it."""

import csv
import io
import json
import random
import shutil
from pathlib import Path

from bench.cli import report
from bench.records.files import CHECK, CONFIG, RECORDS, SUMMARY
from bench.records.stored import Record
from tests.injuries.benches import bench, compare, quiet
from tests.injuries.world import Outcome

NEEDED = [name for name, field in Record.model_fields.items() if field.is_required()]
LEADERBOARD = "leaderboard.csv"


def configurations(tries: int, seed: int, folder: Path) -> Outcome:
    """``config.json`` of a finished run gone, cut off or empty: one start writes it, and asks nothing."""
    outcome, here = Outcome(), bench()
    for number in range(tries):
        draw = random.Random(f"{seed} configurations {number}")
        results = here.copy(folder / str(number))
        path = draw.choice(sorted(results.rglob(CONFIG)))
        whole = path.read_text()
        path.unlink()
        if content := draw.choice((None, "", whole[: draw.randrange(len(whole))], "{}")):
            path.write_text(content)
        mended = here.run(results) == 0 and _identity(path.read_text()) == _identity(whole)
        asked = [f"results={results}", f"out={results}"]
        mended = mended and quiet(report.main, ["leaderboard", *asked]) == 0
        compare(here, results, outcome, here.records, 0, mended)
    return outcome


def _identity(config: str) -> object:
    return json.loads(config)["identity"]


def fields(tries: int, seed: int, folder: Path) -> Outcome:
    """A line of records without a field that every table needs: that question is answered once more."""
    outcome, here = Outcome(), bench()
    for number in range(tries):
        draw = random.Random(f"{seed} fields {number}")
        results = here.copy(folder / str(number))
        without_a_field(draw.choice(sorted(results.rglob(RECORDS))), draw)
        compare(here, results, outcome, here.records, 1, here.run(results) == 0)
    return outcome


def without_a_field(path: Path, draw: random.Random) -> None:
    """Takes a needed field, and the checksum, out of one line of records."""
    lines = path.read_text().splitlines()
    place = draw.randrange(len(lines))
    record = json.loads(lines[place])
    for name in (draw.choice(NEEDED), CHECK):
        del record[name]
    lines[place] = json.dumps(record)
    path.write_text("\n".join(lines) + "\n")


def bits(tries: int, seed: int, folder: Path) -> Outcome:
    """A bit of an index, a score in a line, a torn line and a torn summary, all at once."""
    outcome, here = Outcome(), bench()
    for number in range(tries):
        draw = random.Random(f"{seed} bits {number}")
        results, cache = here.copy(folder / str(number)), folder / f"cache-{number}"
        shutil.copytree(here.cache, cache)
        changed_bit(draw.choice(sorted(cache.rglob("*.safetensors"))), draw)
        first, second, third = draw.sample(sorted(results.rglob(RECORDS)), 3)
        changed_score(first)
        second.write_bytes(second.read_bytes()[: -draw.randint(2, 200)])
        torn = third.with_name(SUMMARY)
        torn.write_text(torn.read_text()[: draw.randint(0, 30)])
        compare(here, results, outcome, here.records, 2, here.run(results, cache) == 0)
    return outcome


def changed_bit(tensors: Path, draw: random.Random) -> None:
    """One of the last bits of a file of tensors, which are data."""
    content = bytearray(tensors.read_bytes())
    content[-draw.randint(1, 500)] ^= 4
    tensors.write_bytes(content)


def changed_score(path: Path) -> None:
    """The first line is still JSON, with another score."""
    head, *rest = path.read_bytes().splitlines(keepends=True)
    place = head.index(b'"score": 0.0') + len(b'"score": ')
    path.write_bytes(b"".join((head[:place], b"1", head[place + 1 :], *rest)))


def merges(tries: int, seed: int, folder: Path) -> Outcome:
    """A leaderboard of others that contradicts, is damaged or is not there: ours stays, byte by byte."""
    outcome, here = Outcome(), bench()
    for number in range(tries):
        draw = random.Random(f"{seed} merges {number}")
        results = here.copy(folder / str(number))
        asked = ["leaderboard", f"results={results}", f"out={results}"]
        made = quiet(report.main, asked) == 0
        board, theirs = results / LEADERBOARD, results / "theirs.csv"
        whole = board.read_bytes()
        rows = list(csv.DictReader(io.StringIO(whole.decode())))
        column = draw.choice(("score", "n", "kv_budget"))
        draw.choice(rows)[column] = draw.choice(("", "many", "-3"))
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
        if (kind := draw.random()) < 0.8:
            theirs.write_bytes(content if kind < 0.6 else content[: len(content) // 2] + b'"\xff')
        refused = quiet(report.main, [*asked, f"merge=[{theirs}]"]) == 2
        stays = made and refused and board.read_bytes() == whole
        compare(here, results, outcome, here.records, 0, stays)
    return outcome


INJURIES = {
    "a finished run without a whole `config.json`": (configurations, 1.0),
    "a record without a needed field": (fields, 1.0),
    "a bit, a line and a summary damaged": (bits, 1.0),
    "a merge that is refused": (merges, 1.0),
}
