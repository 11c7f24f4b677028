"""Question answering over documents, on small files in the formats of SQuAD and HotpotQA."""

import json
from pathlib import Path
from typing import Any

import pytest

from rows.row import Row
from ruler.generate import generate
from ruler.sources import qa_data


def documents(row: Row) -> list[str]:
    """The documents of a row, in order, without their numbers."""
    parts = row.context.split("Document ")[1:]
    numbers, texts = zip(*(part.split(":\n", 1) for part in parts), strict=True)
    assert list(numbers) == [str(number) for number in range(1, len(parts) + 1)]
    return [text.removesuffix("\n\n") for text in texts]


def test_the_answer_is_in_the_document_where_the_row_says(tokenizer: Any, squad: Path) -> None:
    for row in generate("qa_1", tokenizer, 900, 20, squad=squad):
        ((first, after),) = row.meta["positions"]
        ids = tokenizer(row.context, add_special_tokens=False)["input_ids"]
        gold = tokenizer.decode(ids[first:after])
        assert row.answers[0] in gold
        assert gold.startswith("Document ")
        assert len(documents(row)) == len(set(documents(row))) > 3
        harbour = row.question.split("harbour ")[1][0]
        assert sum(f"harbour {harbour} was built" in text for text in documents(row)) == 5


def test_all_spellings_are_answers_each_once(squad: Path) -> None:
    items = qa_data.load("squad", squad).items
    assert items[0].answers == ("1700", "in 1700")
    assert len(items) == 6 * 5 * 2  # those without an answer are left out
    assert len({item.question for item in items}) == len(items)


def test_white_space_in_documents_is_one_blank_a_line(squad: Path) -> None:
    text = qa_data.load("squad", squad).documents[0]
    assert "Keeper00, who" in text
    assert text.count("\n") == 1


def test_hotpotqa_needs_its_facts_and_is_distracted_by_its_own(
    tokenizer: Any, hotpotqa: Path
) -> None:
    (row,) = generate("qa_2", tokenizer, 330, 1, hotpotqa=hotpotqa)
    town = row.question.split("town ")[1].split("-")[0]
    titles = [text.split("\n")[0] for text in documents(row)]
    assert 2 < len(titles) <= 10
    assert all(title.startswith(f"Town {town}-") for title in titles)
    assert {f"Town {town}-3", f"Town {town}-7"} <= set(titles)
    assert len(row.meta["positions"]) == len(row.meta["depths"]) == 2


def test_gold_documents_stand_anywhere_and_in_the_original_where_they_always_do(
    tokenizer: Any, squad: Path
) -> None:
    def places(compat: bool) -> list[int]:
        rows = generate("qa_1", tokenizer, 1200, 30, squad=squad, compat=compat)
        found = []
        for row in rows:
            (place,) = [i for i, text in enumerate(documents(row)) if asked_about(row, text)]
            found.append(place / len(documents(row)))
        return found

    drawn = places(compat=False)
    assert min(drawn) < 0.2
    assert max(drawn) > 0.8
    assert len(set(places(compat=True))) <= 3  # one place for each number of documents


def asked_about(row: Row, text: str) -> bool:
    pier = row.question.split("pier ")[1].split(" ")[0]
    harbour = row.question.split("harbour ")[1].split(" ")[0].rstrip("?\n")
    return text.startswith(f"Pier {pier} of harbour {harbour} ")


def test_questions_come_in_any_order_and_in_the_original_in_that_of_the_file(
    tokenizer: Any, squad: Path
) -> None:
    def asked(compat: bool) -> list[str]:
        rows = generate("qa_1", tokenizer, 600, 60, squad=squad, compat=compat)
        return [row.question for row in rows]

    in_file = [item.question for item in qa_data.load("squad", squad).items]
    assert len(set(asked(compat=False))) == 60
    assert all(question in text for question, text in zip(in_file, asked(True), strict=True))
    assert not all(question in text for question, text in zip(in_file, asked(False), strict=True))


def test_several_questions_share_documents_that_answer_all_of_them(
    tokenizer: Any, squad: Path
) -> None:
    rows = list(generate("qa_1", tokenizer, 1500, 3, questions_per_context=4, squad=squad))
    assert {row.subtask for row in rows} == {"qa_1-questions4"}
    for start in range(0, 12, 4):
        group = rows[start : start + 4]
        assert len({row.context for row in group}) == 1
        assert len({row.question for row in group}) == 4
        for row in group:
            assert sum(asked_about(row, text) for text in documents(row)) == 1


def test_more_samples_than_questions_are_refused(tokenizer: Any, squad: Path) -> None:
    with pytest.raises(ValueError, match="there are 60 with an answer"):
        generate("qa_1", tokenizer, 600, 61, squad=squad)


def test_no_document_comes_twice_to_fill_a_length(tokenizer: Any, squad: Path) -> None:
    (row,) = generate("qa_1", tokenizer, 100_000, 1, squad=squad)
    assert len(set(documents(row))) == len(documents(row)) == 30


def test_other_files_are_other_data(tokenizer: Any, squad: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.json"
    copy.write_text(squad.read_text() + "\n")
    rows = [next(generate("qa_1", tokenizer, 600, 1, squad=path)) for path in (squad, copy)]
    assert rows[0].meta["documents"] != rows[1].meta["documents"]


@pytest.mark.parametrize(
    ("source", "content", "message"),
    [
        ("squad", "[", "not a file of that data set"),
        ("squad", "[]", "no question with an answer"),
        ("squad", '{"data": [{"paragraphs": [{"context": "x"}]}]}', "'qas'"),
        ("squad", '{"data": []}', "no question with an answer"),
        ("hotpotqa", '{"data": []}', "not a file of that data set"),
        ("hotpotqa", json.dumps([{"question": "?", "answer": "", "context": []}]), "no question"),
    ],
)
def test_files_of_another_form_are_refused_by_name(
    tokenizer: Any, tmp_path: Path, source: str, content: str, message: str
) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    task = "qa_1" if source == "squad" else "qa_2"
    with pytest.raises(ValueError, match=message) as caught:
        generate(task, tokenizer, 600, 1, squad=path, hotpotqa=path)
    assert "file.json" in str(caught.value)
