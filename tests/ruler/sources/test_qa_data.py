"""SQuAD and HotpotQA in the authors' form and in the hub's: the same documents and questions."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ruler.sources import qa_data

SQUAD = {
    "data": [
        {
            "title": "Weirs",
            "paragraphs": [
                {
                    "context": "The weir has nine sluices.",
                    "qas": [
                        {
                            "question": "How many?",
                            "is_impossible": False,
                            "answers": [{"text": "nine"}],
                        },
                        {"question": "Who?", "is_impossible": True, "answers": []},
                    ],
                },
                {
                    "context": "It was built in 1811.",
                    "qas": [
                        {"question": "When?", "answers": [{"text": "1811"}, {"text": "in 1811"}]}
                    ],
                },
            ],
        }
    ]
}
SQUAD_ROWS = [
    {
        "title": "Weirs",
        "context": paragraph["context"],
        "question": question["question"],
        "answers": {
            "text": [each["text"] for each in question["answers"]],
            "answer_start": [0 for _ in question["answers"]],
        },
    }
    for paragraph in SQUAD["data"][0]["paragraphs"]
    for question in paragraph["qas"]
]
TITLES, SENTENCES = ["Weirs", "Locks"], [["The weir is old.", " It leaks."], ["A lock is near."]]
HOTPOTQA = [
    {
        "question": "Which leaks?",
        "answer": "The weir",
        "supporting_facts": [["Weirs", 1]],
        "context": [[title, list(each)] for title, each in zip(TITLES, SENTENCES, strict=True)],
    }
]
HOTPOTQA_ROWS = [
    {
        **HOTPOTQA[0],
        "supporting_facts": {"title": ["Weirs"], "sent_id": [1]},
        "context": {"title": TITLES, "sentences": SENTENCES},
    }
]
FORMS = ("list", "lines", "parquet")


def write(path: Path, rows: list[dict[str, Any]], form: str) -> Path:
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif form == "lines":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("source", "authors", "hub"),
    [("squad", SQUAD, SQUAD_ROWS), ("hotpotqa", HOTPOTQA, [*HOTPOTQA_ROWS, *HOTPOTQA_ROWS])],
    ids=["squad", "hotpotqa"],
)
def test_the_hubs_rows_are_the_authors(
    source: str, authors: Any, hub: list[dict[str, Any]], form: str, tmp_path: Path
) -> None:
    content = authors if isinstance(authors, dict) else authors * 2  # one line is plain JSON, too
    (tmp_path / "authors.json").write_text(json.dumps(content))
    wanted = qa_data.load(source, tmp_path / "authors.json")
    found = qa_data.load(source, write(tmp_path / "hub", hub, form))
    assert found.documents == wanted.documents
    assert found.items == wanted.items
    assert len(found.items) == 2


def test_a_row_of_another_set_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows", SQUAD_ROWS, "lines")
    with pytest.raises(ValueError, match=r"hotpotqa: .* is not a file of that data set"):
        qa_data.load("hotpotqa", path)


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows", SQUAD_ROWS, "parquet")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"squad: .* is not a file of that data set"):
        qa_data.load("squad", path)
