"""LongBench's data as lines, list, Parquet and zip, its prompt files, and templates."""

import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from longbench.errors import LongBenchError
from longbench.prompting.prompts import LIMITS_FILE, TEMPLATES_FILE, V2_FILE, load_prompts
from longbench.prompting.template import SPLITS, split_template
from longbench.rows import rows
from longbench.sources.source import FIXTURE, find
from longbench.tasks import get_task
from rows.row import RowError
from tests.fuzz import kinds
from tests.fuzz.damage import damaged_bytes
from tests.fuzz.harness import Loader
from tests.fuzz.ruler import require_storable

TASKS = ("qasper", "trec", "passage_retrieval_en", "v2")
DOCUMENTED = (LongBenchError, RowError)


def short(task: str) -> bytes:
    """Two records of the fixture with short contexts: damage then hits all fields alike."""
    found = [json.loads(line) for line in (FIXTURE / f"{task}.jsonl").read_bytes().splitlines()[:2]]
    cut = [each | {"context": each["context"][:60], "_id": str(n)} for n, each in enumerate(found)]
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in cut)


def line_files(folder: Path) -> list[bytes]:
    return [task.encode() + b"\n" + short(task) for task in TASKS]


def packed_files(folder: Path) -> list[bytes]:
    """The same as a JSON list, as Parquet, and in a zip."""
    found = [json.loads(line) for line in short("qasper").splitlines()]
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found), table)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data/qasper.jsonl", short("qasper"))
    kept = {
        "json": json.dumps(found).encode(),
        "parquet": table.getvalue(),
        "zip": archive.getvalue(),
    }
    return [name.encode() + b"\n" + content for name, content in kept.items()]


def read_lines(content: bytes, folder: Path) -> None:
    task, _, content = content.partition(b"\n")
    path = folder / "data.jsonl"
    path.write_bytes(content)
    require_storable(rows(task.decode(), find(str(path), task.decode()), load_prompts("suite")))


def read_packed(content: bytes, folder: Path) -> None:
    ending, _, content = content.partition(b"\n")
    path = folder / f"data.{ending.decode()}"
    path.write_bytes(content)
    require_storable(rows("qasper", find(str(path), "qasper"), load_prompts("suite")))


def templates(folder: Path) -> list[bytes]:
    suite = load_prompts("suite")
    return [f"{task}\n{text}".encode() for task, text in suite.templates.items()]


def read_template(content: bytes, folder: Path) -> None:
    name, _, text = content.partition(b"\n")
    task = get_task(name.decode())
    for split in SPLITS:
        filled = split_template(text.decode("utf-8", "replace"), task, split).fill(
            "CONTEXT", "INPUT"
        )
        assert "CONTEXT" in filled.context


def prompt_files(folder: Path) -> list[bytes]:
    suite = load_prompts("suite")
    few = {task: suite.templates[task] for task in ("qasper", "trec")}
    limits = {task: suite.limits[task] for task in few}
    contents = {TEMPLATES_FILE: json.dumps(few), LIMITS_FILE: json.dumps(limits), V2_FILE: suite.v2}
    return [f"{name}\n{content}".encode() for name, content in contents.items()]


def read_prompt_files(content: bytes, folder: Path) -> None:
    damaged, _, content = content.partition(b"\n")
    for each in prompt_files(folder):
        name, _, good = each.partition(b"\n")
        (folder / name.decode()).write_bytes(content if name == damaged else good)
    prompts = load_prompts(str(folder))
    for task in ("qasper", "v2"):
        require_storable(rows(task, find("fixture", task), prompts, samples=1))


FILES = {TEMPLATES_FILE: kinds.json_file, LIMITS_FILE: kinds.json_file, V2_FILE: damaged_bytes}
LOADERS = (
    Loader(
        "LongBench lines", 12, line_files, kinds.named(kinds.json_lines), read_lines, DOCUMENTED
    ),
    Loader(
        "LongBench packed", 5, packed_files, kinds.named(damaged_bytes), read_packed, DOCUMENTED
    ),
    Loader(
        "LongBench templates", 12, templates, kinds.named(damaged_bytes), read_template, DOCUMENTED
    ),
    Loader(
        "LongBench prompt files",
        3,
        prompt_files,
        kinds.by_name(**FILES),
        read_prompt_files,
        DOCUMENTED,
    ),
)
