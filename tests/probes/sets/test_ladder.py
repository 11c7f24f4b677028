"""The twelve rungs: the bank, hand-worked examples, and answers told anew from the text."""

import re
from collections import Counter
from typing import Any

import pytest

from probes import copies
from probes.generate import generate
from probes.text.bank import DAYS, LETTERS, bank


def test_word_errors_by_hand() -> None:
    assert copies.words_right("a b c d", "a b x d") == pytest.approx(0.75)
    assert copies.words_right("a b", "a b c d") == pytest.approx(0.5)
    assert copies.words_right("much more than that", "a") == 0


def test_scores_by_hand() -> None:
    question = "2 + 3? A) 4 B) 5 C) 6 D) 7"
    assert copies.strict(f" {question}\n", [question], "lines") == 1
    assert copies.strict(f" {question}\nAnswer: B\nQuestion 2", ["B"], "letter") == 1
    assert copies.strict(" A", ["B"], "letter") == 0
    assert copies.strict(" Because", ["B"], "letter") == 0  # a word is no letter
    assert copies.official("so B", ["B"], "letter") == 0
    assert copies.official("it is in Velaro, I think", ["Velaro"], "part") == 1
    assert copies.strict("it is in Velaro, I think", ["Velaro"], "part") == 0
    wrong = "2 + 3? A) 4 B) 5 C) 6 D) 8"
    assert copies.official(wrong, [question], "lines") == pytest.approx(10 / 11)
    assert copies.strict(wrong, [question], "lines") == 0


def test_the_bank_has_balanced_questions_with_one_right_option() -> None:
    items = bank()
    assert len({item.text for item in items}) == 2000
    assert set(Counter(item.letter for item in items).values()) == {500}
    for item in items:
        question, _, rest = item.text.partition("? ")
        options = re.fullmatch(r"A\) (\w+) B\) (\w+) C\) (\w+) D\) (\w+)", rest)
        assert options is not None
        shown = options.groups()
        assert len(set(shown)) == 4
        right = shown[LETTERS.index(item.letter)]
        if found := re.fullmatch(r"What is (\d+) ([+-]) (\d+)", question):
            one, sign, other = found.groups()
            assert int(right) == int(one) + int(sign + other)
        elif found := re.fullmatch(r"Which weekday is (\d+) days after a (\w+)", question):
            days, start = found.groups()
            assert right == DAYS[(DAYS.index(start) + int(days)) % 7]
        elif found := re.fullmatch(r"Which letter stands (\d+) places (\w+) (\w)", question):
            places, way, start = found.groups()
            assert ord(right) - ord(start) == int(places) * (1 if way == "after" else -1)


def test_rungs_of_a_family_ask_about_the_same_lines(tokenizer: Any) -> None:
    rows = list(generate("ladder", tokenizer, 16384, 1, 4))
    assert len(rows) == 48
    by_kind: dict[str, list[Any]] = {}
    for row in rows:
        by_kind.setdefault(row.meta["kind"], []).append(row)
    for easy, medium, hard in zip(
        *(by_kind[f"key_{r}"] for r in ("easy", "medium", "hard")), strict=True
    ):
        assert easy.meta["spans"] == medium.meta["spans"] == hard.meta["spans"]
        assert medium.answers == hard.answers
    assert Counter(row.answers[0] for row in by_kind["key_hard"]) == Counter("ABCD")


def test_answers_follow_from_the_lines(tokenizer: Any) -> None:
    for row in generate("ladder", tokenizer, 16384, 1, 4):
        questions: dict[str, list[str]] = {}
        for number, text in re.findall(r"^Question (\d+): (.+)$", row.context, re.MULTILINE):
            questions.setdefault(number, []).append(text)
        notes = re.findall(r"^Note: a number of (\S+) is (\d+)\.$", row.context, re.MULTILINE)
        kind = row.meta["kind"]
        if kind.endswith("basic") and not kind.startswith("qa"):
            (key,) = re.findall(r"of (\S+)\?", row.question)
            assert row.answers == [value for other, value in notes if other == key]
        elif kind.startswith("value"):
            (number,) = set(re.findall(r"\d{7}", row.question))
            words = ("first", "second", "third", "fourth")
            place = next((i for i, word in enumerate(words) if word in row.question), None)
            texts = questions[number]
            assert row.answers == (texts if place is None else [texts[place]])
        elif kind == "qa_hard":
            (person,) = re.findall(r"does (\w+) work", row.question)
            (house,) = re.findall(rf"{person} is a \w+ at the house (\w+)\.", row.context)
            assert row.answers == re.findall(rf"The house {house} stands in (\w+),", row.context)
