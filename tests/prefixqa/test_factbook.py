"""The backend ``factbook``, and texts by name as a source: of tiny packages of the same formats."""

from pathlib import Path

import pytest

from prefixqa import factbook
from prefixqa.rows import to_rows, used_tokens
from prefixqa.sources.load import Filter, load
from prefixqa.template import SpaceError
from prefixqa.tokens import TokenCounter
from rows.row import read_jsonl
from tests.commands import Run, refused
from tests.packages import install
from texts import catalogue

LENGTH = 2048


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path, monkeypatch)


def test_answers_stand_once_and_are_not_the_true_ones(tokens: TokenCounter) -> None:
    true = {
        f"What is the {fact.field.label} of {each.name}?": fact.value
        for each in catalogue.profiles()
        for fact in each.facts
    }
    seen = set()
    for made in factbook.documents(tokens, 2, 10, LENGTH, 0):
        text = made.document.text
        assert text.startswith("## Land ")
        assert 0.9 * LENGTH < used_tokens(made, tokens) <= LENGTH
        assert made.document.source == catalogue.pin("factbook")
        assert len(made.pairs) == 10
        for pair in made.pairs:
            (answer,) = pair.answers
            assert text.count(answer) == 1
            assert answer != true[pair.question]
            assert f"{pair.answer_prefix.strip()} {answer}." == pair.evidence[0].text
        starts = [pair.evidence[0].start for pair in made.pairs]
        assert starts == sorted(starts)
        # One question in each tenth of the document, but for facts that stand together.
        assert len({int(10 * start / len(text)) for start in starts}) >= 7
        seen.add(text)
        rows = to_rows(made, factbook.NAME, tokens)
        assert {row.subtask for row in rows} == {"factbook"}
    assert len(seen) == 2


def test_one_seed_makes_one_set(tokens: TokenCounter) -> None:
    def made(seed: int) -> list[str]:
        return [each.document.text for each in factbook.documents(tokens, 2, 5, LENGTH, seed)]

    assert made(0) == made(0) != made(1)


def test_a_length_that_is_too_short_is_refused(tokens: TokenCounter) -> None:
    with pytest.raises(SpaceError, match="length 400 is too short for questions=24"):
        list(factbook.documents(tokens, 1, 24, 400, 0))
    with pytest.raises(SpaceError, match="length 60"):
        list(factbook.documents(tokens, 1, 2, 60, 0))


def test_the_command_makes_a_set(prefixqa: Run, tmp_path: Path) -> None:
    given = ("backend=factbook", "documents=2", "questions=6", f"length={LENGTH}", "out=set")
    done = prefixqa(*given)
    assert done.returncode == 0, done.stderr
    rows = read_jsonl(tmp_path / "cwd" / "set" / "prefixqa.jsonl")
    assert len(rows) == 12
    assert {row.meta["licence"] for row in rows} == {"public domain"}
    assert prefixqa(*given).stdout.startswith("kept")
    refused(prefixqa(*given, "source=x"), "the factbook backend makes its documents")


def test_texts_are_sources(prefixqa: Run, tmp_path: Path, tokens: TokenCounter) -> None:
    given = ("backend=extractive", "questions=3", f"length={LENGTH}", "min_tokens=100", "out=set")
    done = prefixqa("source=text:anarchism", "documents=2", *given)
    assert done.returncode == 0, done.stderr
    rows = read_jsonl(tmp_path / "cwd" / "set" / "prefixqa.jsonl")
    assert {row.meta["document"] for row in rows} == {"secA1", "secA2"}
    assert {row.meta["source"] for row in rows} == {catalogue.pin("anarchism")}
    refused(prefixqa("source=text:bibel", *given), "unknown text 'bibel'")
    refused(prefixqa("source=text:stdlib", *given), "source: stdlib is code")


def test_profiles_as_a_source_are_swapped_by_the_seed(tokens: TokenCounter, tmp_path: Path) -> None:
    rules = Filter(min_tokens=10, max_tokens=5000, near_duplicates=1)
    loaded = {
        seed: load("text:factbook", rules, tokens, tmp_path, limit=3, seed=seed)
        for seed in ("0", "1")
    }
    texts = {seed: [each.text for each in found.documents] for seed, found in loaded.items()}
    assert texts["0"] != texts["1"]
    assert "The capital of Land 0 is Town0." not in texts["0"][0]
