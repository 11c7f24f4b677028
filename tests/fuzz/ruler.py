"""Rows in JSONL and Parquet, other people's question sets, and the parser of the original's prompt files."""

import json
from dataclasses import asdict
from pathlib import Path

from rows.parquet import read_parquet, write_parquet
from rows.row import Row, RowError, read_jsonl, write_jsonl
from ruler.sources import official_prompts, qa_data
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


def question_sets(folder: Path) -> list[bytes]:
    asked = {"question": "Who?", "answers": [{"text": "Ann"}], "is_impossible": False}
    squad = {"data": [{"paragraphs": [{"context": "Ann came.\nBob went.", "qas": [asked]}]}]}
    towns = [["A", ["A lies here. ", "It is old."]], ["B", ["B lies there."]]]
    hotpot = [{"question": "Is A old?", "answer": "yes", "context": towns}]
    facts = hotpot[0] | {"supporting_facts": [["A", 0], ["B", 0]]}
    return [
        b"squad\n" + json.dumps(squad).encode(),
        b"hotpotqa\n" + json.dumps([*hotpot, facts]).encode(),
    ]


def read_question_set(content: bytes, folder: Path) -> None:
    name, _, content = content.partition(b"\n")
    path = folder / "set.json"
    path.write_bytes(content)
    qa_data._load.cache_clear()  # it goes by the file's time, which is too coarse here
    found = qa_data.load(name.decode(), path)
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
        kinds.named(kinds.json_file),
        read_question_set,
        (ValueError,),
    ),
    Loader(
        "RULER prompt files",
        6,
        prompt_files,
        kinds.named(damaged_bytes),
        read_prompt_files,
        (ValueError,),
    ),
)
