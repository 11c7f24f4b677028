"""The essay haystack: a local corpus with needles between its sentences."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rows.row import Row
from ruler.generate import generate


@pytest.mark.parametrize("ending", ["txt", "json"])
def test_an_essay_haystack_has_needles_between_its_sentences(
    tokenizer: Any, tmp_path: Path, ending: str
) -> None:
    sentences = ["One fish swam.", "Two birds sang!", 'Is it "late?"', "It   was\nthree."]
    text = " ".join(sentences)
    path = tmp_path / f"essay.{ending}"
    path.write_text(text if ending == "txt" else json.dumps({"text": text}))
    (row,) = generate("niah_multikey_1", tokenizer, 1024, 1, essays=path)
    assert (row.meta["haystack"], row.meta["haystack_standard"]) == ("essay", "essay")
    assert row.meta["total_tokens"] >= 0.97 * 1024
    # Without its needles, the haystack is the corpus, over and over.
    body = row.context.split("\n", 1)[1].strip()
    notes = [part.split(".", 1)[0] for part in body.split("Ledger note: ")[1:]]
    assert len(notes) == 4
    for note in notes:
        assert body.count(note) == 1
        body = body.replace(f"Ledger note: {note}. ", "").replace(f" Ledger note: {note}.", "")
    words = body.split()
    assert words == (" ".join(sentences).split() * len(words))[: len(words)]


def test_needles_take_the_forty_depths(tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "essay.txt"
    path.write_text("".join(f"Sentence {number} ends. " for number in range(5000)))

    def first(needles: int) -> Row:
        rows = generate(
            "niah_single_2", tokenizer, 4096, 1, questions_per_context=needles, essays=path
        )
        return next(rows)

    # The last sentence is cut where the length ends, so it may have no full stop.
    sentences = re.split(" (?=Sentence|Ledger)", first(40).context.split("\n")[1])
    notes = [place for place, text in enumerate(sentences) if text.startswith("Ledger note: ")]
    before = [place - earlier for earlier, place in enumerate(notes)]
    count = len(sentences) - 40
    assert before == [count * round(100 * step / 39) // 100 for step in range(40)]
    with pytest.raises(ValueError, match="has 40 places"):
        first(41)


def test_two_essays_are_not_the_same_data(tokenizer: Any, tmp_path: Path) -> None:
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    for path in paths:
        path.write_text(f"We are in {path.name}. It is dull.")
    rows = [next(generate("niah_single_2", tokenizer, 600, 1, essays=path)) for path in paths]
    assert rows[0].meta["essays"] != rows[1].meta["essays"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.txt", None, "no file"),
        ("a.txt", "  \n", "empty"),
        ("a.json", '{"texts": ""}', '"text"'),
        ("a.json", "{", "cannot use"),
        ("a.pdf", "x", "expected .txt or .json"),
    ],
)
def test_unusable_essays_are_refused_by_name(
    tokenizer: Any, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        generate("niah_single_2", tokenizer, 600, 1, essays=tmp_path / name)
    assert name in str(caught.value)
