"""Rows as NVIDIA's generator writes them: cut where the question begins, named by their folder."""

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from rows.row import RowError
from ruler import ready

# The shape of each family's prompt; the words around the borders are the format's, the rest is ours.
PROMPTS = {
    "niah_single_2": ("Read on.\nA code is 12.\n", "What is the special magic number for x?"),
    "niah_multiquery": (
        "Read on.\nCodes.\n",
        "What are all the special magic numbers for x, and y?",
    ),
    "vt": (
        "Read on. VAR A = 1 Question: Find all variables that are 1. Answer: A\n\nVAR B = 2\n",
        "Question: Find all variables that are assigned the value 2.",
    ),
    "cwe": (
        "1. a 2. b Question: What are the 10 most common words? Answer: a\n1. c 2. d\n",
        "Question: What are the 10 most common words in the above list?",
    ),
    "fwe": ("Read on. aa bb cc\n", "Question: Do not provide any explanation. Which three?"),
    "qa_1": (
        "Answer the question based on the given documents. Documents.\n\n",
        "Answer the question based on the given documents.\n\nQuestion: Who?",
    ),
}


def write(file: Path, *rows: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def line(prompt: str, **changes: Any) -> dict[str, Any]:
    row = {"index": 7, "input": prompt, "outputs": ["12", "13"], "length": 99}
    return {**row, "answer_prefix": " It is", **changes}


@pytest.mark.parametrize("task", PROMPTS)
def test_each_familys_prompt_is_cut_at_its_last_question(task: str, tmp_path: Path) -> None:
    context, question = PROMPTS[task]
    file = write(tmp_path / "4096" / task / "validation.jsonl", line(context + question))
    (row,) = ready.load(ready.find(file, None), task)
    assert (row.context, row.question, row.answer_prefix) == (context, question, " It is")
    assert (row.task, row.subtask, row.answers) == ("ruler", task, ["12", "13"])
    assert row.meta == {"prompts": "official", "index": 7}


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    file = write(tmp_path / "fwe" / "validation.jsonl", line("".join(PROMPTS["fwe"])))
    plain = ready.load(ready.find(file, None), "fwe")
    file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    assert ready.load(ready.find(file, None), "fwe") == plain


def test_rows_with_one_index_stay_apart(tmp_path: Path) -> None:
    prompt = "".join(PROMPTS["fwe"])
    write(tmp_path / "fwe" / "validation.jsonl", line(prompt), line(prompt))
    write(tmp_path / "vt" / "validation.jsonl", line("".join(PROMPTS["vt"])))
    rows = ready.load(ready.find(tmp_path), "fwe")
    assert [row.id for row in rows] == ["fwe-00001", "fwe-00002"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            line("A text without a question."),
            "found no question of fwe; expected 'Question: Do not",
        ),
        (line("Question: Do not provide any explanation. What?"), "found no question"),
        (line("x", input=5), "field 'input' is '5'; expected a string"),
        (line("x", outputs="12"), "field 'outputs' is '12'; expected a list"),
        (line("".join(PROMPTS["fwe"]), outputs=[]), "expected at least one answer"),
        ({"input": "x"}, "has no 'input' and 'outputs'"),
    ],
)
def test_a_row_that_cannot_be_asked_is_named(
    row: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "fwe" / "a.jsonl", line("".join(PROMPTS["fwe"])), row)
    with pytest.raises(RowError, match=message) as refused:
        ready.load(ready.find(file), "fwe")
    assert f"{file}:2: " in str(refused.value)


def test_a_file_that_names_no_task_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", line("".join(PROMPTS["fwe"])))
    with pytest.raises(RowError, match="name no task; call the file or its folder after it"):
        ready.load(ready.find(file), "fwe")
