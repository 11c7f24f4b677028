"""Rows in JSONL and Parquet, rows and question sets of others, the parser of the original's prompt files."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rows.foreign import read_foreign
from rows.parquet import read_parquet, write_parquet
from rows.row import Row, RowError, read_jsonl, write_jsonl
from ruler.sources import nvidia, official_prompts, qa_data
from ruler.tasks import TASKS
from tests.fuzz import kinds
from tests.fuzz.damage import damaged_bytes
from tests.fuzz.harness import Loader
from tests.ruler.sources.test_official_prompts import FILES

ROWS = [
    Row(
        id=f"vt-{number}",
        task="ruler",
        subtask="vt",
        context="VAR A = 12345\n\u00e9\u4e2d {x}",
        question="Which names have 12345?",
        answer_prefix=" They are",
        answers=["A", "B"],
        max_new_tokens=30,
        meta={"depths": [0.1, 0.9], "prompts": "suite", "seed": number},
    )
    for number in range(2)
]


def row_files(folder: Path) -> list[bytes]:
    write_jsonl(folder / "rows.jsonl", ROWS)
    return [(folder / "rows.jsonl").read_bytes()]


def parquet_files(folder: Path) -> list[bytes]:
    write_parquet(folder / "rows.parquet", ROWS)
    return [(folder / "rows.parquet").read_bytes()]


def read_row_file(content: bytes, folder: Path) -> None:
    (folder / "rows.jsonl").write_bytes(content)
    require_storable(read_jsonl(folder / "rows.jsonl"))


def read_parquet_file(content: bytes, folder: Path) -> None:
    (folder / "rows.parquet").write_bytes(content)
    require_storable(read_parquet(folder / "rows.parquet"))


def require_storable(rows: list[Row]) -> None:
    """What was read can be tokenised and written again."""
    for row in rows:
        try:
            json.dumps(asdict(row), ensure_ascii=False, allow_nan=False).encode()
        except ValueError as error:
            raise AssertionError(f"a row was accepted that cannot be written: {error}") from error


def nvidia_files(folder: Path) -> list[bytes]:
    """Two lines of one task of each family, as the original's generator writes them."""
    first = {TASKS[name].family: name for name in reversed(TASKS)}
    found = []
    for family, name in first.items():
        prompt = f"Some text {{x}} \u4e2d.\n{nvidia.OPENINGS[family][0]} of it?"
        rows = [
            {
                "index": number,
                "input": prompt,
                "outputs": ["12"],
                "length": 9,
                "answer_prefix": " So",
            }
            for number in range(2)
        ]
        found.append(name.encode() + b"\n" + lines(rows))
    return found


def lines(values: list[Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in values)


def read_nvidia(content: bytes, folder: Path) -> None:
    name, _, content = content.partition(b"\n")
    file = folder / name.decode() / "validation.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    found = nvidia.read(file)
    require_storable(found)
    assert len({row.id for row in found}) == len(found)


def foreign_files(folder: Path) -> list[bytes]:
    """RULER as it is published for kvpress, and SCBench."""
    plain = {"context": "A b.", "question": "Who?", "answer_prefix": "", "answer": ["A"]}
    published = plain | {"task": "niah_single_1", "max_new_tokens": 5}
    asked = [{"input": "Who?", "answer": "A"}, {"input": "Or?", "answer": [1], "options": ["x"]}]
    return [
        lines([published, published]),
        lines([{"id": 3, "context": "A b.", "multi_turns": asked}]),
    ]


def read_foreign_file(content: bytes, folder: Path) -> None:
    (folder / "rows.jsonl").write_bytes(content)
    require_storable(read_foreign(folder / "rows.jsonl"))


def question_sets(folder: Path) -> list[bytes]:
    """The authors' files, and the rows of hubs in JSON lines and Parquet."""
    asked = {"question": "Who?", "answers": [{"text": "Ann"}], "is_impossible": False}
    squad = {"data": [{"paragraphs": [{"context": "Ann came.\nBob went.", "qas": [asked]}]}]}
    towns = [["A", ["A lies here. ", "It is old."]], ["B", ["B lies there."]]]
    hotpot = [{"question": "Is A old?", "answer": "yes", "context": towns}]
    facts = hotpot[0] | {"supporting_facts": [["A", 0], ["B", 0]]}
    answers = {"text": ["Ann"], "answer_start": [0]}
    row = {"title": "T", "context": "Ann came.", "question": "Who?", "answers": answers}
    columns = {"title": ["A", "B"], "sentences": [["A lies here. "], ["B lies there."]]}
    hub = {"question": "Is A old?", "answer": "yes", "context": columns}
    hub |= {"supporting_facts": {"title": ["A"], "sent_id": [0]}}
    found = [
        b"squad file\n" + json.dumps(squad).encode(),
        b"hotpotqa file\n" + json.dumps([*hotpot, facts]).encode(),
    ]
    for name, rows in (("squad", [row, row | {"question": "When?"}]), ("hotpotqa", [hub, hub])):
        table = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), table)
        found.append(f"{name} lines\n".encode() + lines(rows))
        found.append(f"{name} parquet\n".encode() + table.getvalue())
    return found


QUESTION_SETS = {
    f"{name} {kind}": damage
    for name in ("squad", "hotpotqa")
    for kind, damage in (
        ("file", kinds.json_file),
        ("lines", kinds.json_lines),
        ("parquet", damaged_bytes),
    )
}


def read_question_set(content: bytes, folder: Path) -> None:
    name, _, content = content.partition(b"\n")
    path = folder / "set.json"
    path.write_bytes(content)
    qa_data._load.cache_clear()  # it goes by the file's time, which is too coarse here
    found = qa_data.load(name.decode().split()[0], path)
    try:
        "".join([*found.documents, *(item.question for item in found.items)]).encode()
    except ValueError as error:
        raise AssertionError(f"text was accepted that UTF-8 cannot hold: {error}") from error
    assert all(0 <= place < len(found.documents) for each in found.items for place in each.gold)


def prompt_files(folder: Path) -> list[bytes]:
    return [f"{name}\n{content}".encode() for name, content in FILES.items()]


def read_prompt_files(content: bytes, folder: Path) -> None:
    name, _, content = content.partition(b"\n")
    for file, good in FILES.items():
        (folder / file).write_bytes(content if file == name.decode() else good.encode())
    found = official_prompts.load(str(folder))
    for wording in vars(found).values():
        for text in vars(wording).values() if hasattr(wording, "__dict__") else (wording,):
            assert isinstance(text, str | bool | int | tuple | type(None)), type(text)


LOADERS = (
    Loader("rows (JSONL)", 16, row_files, kinds.json_lines, read_row_file, (RowError,)),
    Loader("rows (Parquet)", 4, parquet_files, damaged_bytes, read_parquet_file, (RowError,)),
    Loader(
        "SQuAD, HotpotQA",
        6,
        question_sets,
        kinds.by_name(**QUESTION_SETS),
        read_question_set,
        (ValueError,),
    ),
    Loader(
        "RULER rows of NVIDIA",
        4,
        nvidia_files,
        kinds.named(kinds.json_lines),
        read_nvidia,
        (RowError,),
    ),
    Loader("rows of others", 4, foreign_files, kinds.json_lines, read_foreign_file, (RowError,)),
    Loader(
        "RULER prompt files",
        6,
        prompt_files,
        kinds.named(damaged_bytes),
        read_prompt_files,
        (ValueError,),
    ),
)
