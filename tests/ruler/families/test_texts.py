"""Haystacks and documents of real text: here of tiny packages of the same formats."""

import re
from pathlib import Path
from typing import Any

import pytest

from ruler.generate import generate
from tests.packages import COUNTRIES, install
from texts import catalogue

NOTE = re.compile(r"Ledger note: [^.]*\.")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path, monkeypatch)


def words_of(name: str) -> list[str]:
    return " ".join(each.text for each in catalogue.load(name).documents).split()


def test_a_text_is_a_haystack_that_begins_anywhere(tokenizer: Any) -> None:
    rows = list(
        generate("niah_multikey_1", tokenizer, 1024, 3, parameters={"haystack": "anarchism"})
    )
    whole = words_of("anarchism")
    beginnings = set()
    for row in rows:
        assert row.subtask == "niah_multikey_1-anarchism"
        assert (row.meta["haystack"], row.meta["haystack_standard"]) == ("anarchism",) * 2
        assert row.meta["text"] == catalogue.pin("anarchism")
        assert row.meta["total_tokens"] >= 0.97 * 1024
        body = row.context.split("\n", 1)[1]
        notes = NOTE.findall(body)
        assert len(notes) == 4
        assert sum(row.answers[0] in note for note in notes) == 1
        rest = NOTE.sub("", body).split()
        doubled = " ".join(whole + whole)
        assert " ".join(rest[:30]) in doubled
        beginnings.add(" ".join(rest[:30]))
    assert len(beginnings) == 3


def test_a_text_may_stand_in_for_the_essays_of_the_standard_task(tokenizer: Any) -> None:
    rows = list(generate("niah_single_2", tokenizer, 600, 2, essays="bible"))
    for row in rows:
        assert row.subtask == "niah_single_2"
        assert (row.meta["haystack"], row.meta["text"]) == ("essay", catalogue.pin("bible"))
        rest = NOTE.sub("", row.context.split("\n", 1)[1]).split()
        assert rest[:4] == words_of("bible")[:4]  # as the original's: always from the start


def test_without_a_text_rows_say_nothing_of_one(tokenizer: Any) -> None:
    (row,) = generate("niah_single_1", tokenizer, 600, 1, essays="bible")
    assert "text" not in row.meta
    assert row.meta["essays"] is None


@pytest.mark.parametrize("name", ["mini", "bytes", "merging"])
def test_code_keeps_its_lines_and_the_length_its_promise(
    tokenizers: dict[str, Any], name: str
) -> None:
    tokenizer = tokenizers[name]
    length = 2048 if name == "bytes" else 1024
    parameters = {"haystack": "stdlib", "keys": 2}
    (row,) = generate("niah_single_1", tokenizer, length, 1, parameters=parameters)
    lines = row.context.splitlines()[1:]
    notes = [line for line in lines if line.startswith("Ledger note: ")]
    assert len(notes) == 2
    code = "\n".join(line for line in lines if line not in notes)
    known = {line for each in catalogue.load("stdlib").documents for line in each.text.splitlines()}
    assert set(code.splitlines()) <= known
    whole = tokenizer(row.context)["input_ids"], tokenizer(row.question + row.answer_prefix)
    assert len(whole[0]) + len(whole[1]["input_ids"]) + 128 <= length + 2  # two ends of a text


def test_profiles_are_documents_whose_answers_nobody_knows(tokenizer: Any) -> None:
    parameters = {"source": "factbook"}
    rows = list(generate("qa_1", tokenizer, 2048, 8, parameters=parameters))
    true = {
        (each.name, fact.field.label): fact.value
        for each in catalogue.profiles()
        for fact in each.facts
    }
    for row in rows:
        assert row.subtask == "qa_1-factbook"
        assert row.meta["text"] == catalogue.pin("factbook")
        asked = re.search(r"What is the (.+) of (Land \d+)\?", row.question)
        assert asked is not None
        (answer,) = row.answers
        assert row.context.count(answer) == 1
        assert answer != true[asked[2], asked[1]]
        assert f"The {asked[1]} of {asked[2]} is {answer}." in row.context
        assert answer not in row.question
    assert len({row.answers[0] for row in rows}) == 8
    others = list(generate("qa_1", tokenizer, 2048, 8, seed=1, parameters=parameters))
    assert {row.meta["documents"] for row in rows} != {row.meta["documents"] for row in others}


def test_documents_may_stand_among_paragraphs_of_a_text(tokenizer: Any, squad: Path) -> None:
    parameters = {"haystack": "anarchism"}
    (row,) = generate("qa_1", tokenizer, 1024, 1, squad=squad, parameters=parameters)
    assert row.subtask == "qa_1-anarchism"
    assert (row.meta["haystack"], row.meta["source"]) == ("anarchism", "squad")
    documents = row.context.split("\n\n")[1:-1]
    gold = [each for each in documents if "Pier" in each]
    assert len(gold) == 1
    assert row.answers[0] in gold[0]
    assert len(documents) > 5
    assert all("keeper of the weir" in each for each in documents if each not in gold)


@pytest.mark.parametrize(
    ("task", "settings", "message"),
    [
        ("niah_single_2", {"essays": "stdlib"}, "essays: stdlib is code"),
        ("qa_1", {"parameters": {"source": "factbook", "haystack": "stdlib"}}, "no paragraphs"),
        ("vt", {"parameters": {"haystack": "bible"}}, "no parameter 'haystack'"),
    ],
)
def test_what_does_not_fit_is_refused(
    tokenizer: Any, task: str, settings: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        generate(task, tokenizer, 1024, 1, **settings)


def test_a_text_that_is_not_here_is_named(tokenizer: Any, cache: Path) -> None:
    for path in cache.iterdir():
        path.unlink()
    for settings in ({"parameters": {"haystack": "anarchism"}}, {"essays": "anarchism"}):
        with pytest.raises(ValueError, match=r"anarchism_15\.3-3_all\.deb") as caught:
            generate("niah_single_2", tokenizer, 1024, 1, **settings)
        assert "\n" not in str(caught.value)


def test_countries_are_enough_for_many_questions(tokenizer: Any) -> None:
    parameters = {"source": "factbook"}
    rows = generate(
        "qa_1", tokenizer, 4096, 1, questions_per_context=COUNTRIES // 2, parameters=parameters
    )
    found = list(rows)
    assert len(found) == COUNTRIES // 2
    assert all(row.context == found[0].context for row in found)
