"""The bench's own files: records, the folder of a run, the leaderboard."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

from bench.config.errors import InputError, RunError
from bench.records.files import CONFIG, RECORDS, read_records
from bench.reporting.leaderboard.rows import leaderboard, load_runs
from bench.reporting.leaderboard.schema import Row, parse, problems, read
from tests.fuzz import kinds
from tests.fuzz.damage import damaged_bytes
from tests.fuzz.harness import Loader

RECORD = {
    "id": "niah_single_1-0000-q00",
    "context": "0123456789abcdef",
    "prediction": " 4711042 \u4e2d",
    "answers": ["4711042"],
    "score": 1.0,
    "metrics": {"score": 1.0, "strict": 0.5},
    "kv_budget": 0.16,
    "lookup_budget": 0.02,
    "prefill_ms": 12.5,
    "decode_ms_per_token": None,
    "index_bytes": 1000,
    "prepare_ms": 3.0,
    "context_tokens": 1000,
    "meta": {"prompts": "suite", "depths": [0.5]},
    "commit": "0123456789ab",
}
IDENTITY = {
    "model": {"name": "mini", "fingerprint": "f", "dtype": "float32", "device": "cpu"},
    "task": {
        **{"name": "ruler", "label": "niah_single_1", "length": 1024, "prompts": "suite"},
        **{"samples": 3, "questions_per_context": 1, "seed": 0, "data": None, "overrides": []},
    },
    "method": {"name": "squeezed", "rule": "topk", "sparsity": 0.9, "depth": 1},
    "index": {"window": 100, "seed": 0, "levels": [0.05]},
}


def lines(*values: Any) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()


def record_files(folder: Path) -> list[bytes]:
    return [lines(*(RECORD | {"id": f"{n}", "score": n / 2} for n in range(3)))]


def read_record_file(content: bytes, folder: Path) -> None:
    (folder / RECORDS).write_bytes(content)
    for record in read_records(folder / RECORDS):
        assert isinstance(record["id"], str)
        assert math.isfinite(record["score"])


def run_files(folder: Path) -> list[bytes]:
    config = json.dumps({"identity": IDENTITY, "spec": {}}).encode()
    return [b"config\n" + config, b"records\n" + record_files(folder)[0]]


def read_run(content: bytes, folder: Path) -> None:
    """The folder of one run, of which one file is damaged; and its line of the leaderboard."""
    name, _, content = content.partition(b"\n")
    good = dict(each.split(b"\n", 1) for each in run_files(folder)) | {name: content}
    (folder / CONFIG).write_bytes(good[b"config"])
    (folder / RECORDS).write_bytes(good[b"records"])
    leaderboard(load_runs(folder))


def leaderboards(folder: Path) -> list[bytes]:
    names = list(Row.model_fields)
    values = dict.fromkeys(names, "") | {
        **{"model": "mini", "task": "ruler", "subtask": "vt", "method": "full", "kv_budget": "1"},
        **{"score": "0.5", "n": "3", "index_bytes": "0", "commit": "0123456789ab"},
        **{"setting": "abc", "run": "mini/full"},
    }
    other = values | {"method": "squeezed", "asked": 'sparsity "0.9", and more', "kv_budget": "0.2"}
    text = io.StringIO()
    writer = csv.DictWriter(text, names, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows([values, other])
    return [text.getvalue().encode()]


def read_leaderboard(content: bytes, folder: Path) -> None:
    (folder / "leaderboard.csv").write_bytes(content)
    problems(read(folder / "leaderboard.csv"))


def read_leaderboard_text(content: bytes, folder: Path) -> None:
    parse(content.decode("utf-8", "replace"), "fuzzed")


LOADERS = (
    Loader("records", 14, record_files, kinds.json_lines, read_record_file, (RunError,)),
    Loader(
        "run folder",
        1,
        run_files,
        kinds.by_name(config=kinds.json_file, records=kinds.json_lines),
        read_run,
        (RunError, InputError),
    ),
    Loader("leaderboard", 4, leaderboards, damaged_bytes, read_leaderboard, (InputError,)),
    Loader(
        "leaderboard text", 2, leaderboards, damaged_bytes, read_leaderboard_text, (InputError,)
    ),
)
