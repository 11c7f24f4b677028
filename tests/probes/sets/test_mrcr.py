"""Repeated requests: a hand-worked example, order, and what wrong pieces get."""

import re
from typing import Any

import pytest

from probes.find import sets
from probes.generate import generate
from probes.sets.mrcr import ratio
from rows.row import Row


def row() -> Row:
    extra = {"key": "Z9", "pieces": ["aa bb", "cc dd"], "index": 1}
    return Row("1", "probes", "mrcr", "c", "?", "", ["Z9cc dd"], 8, {"extra": extra})


def test_by_hand() -> None:
    scores = sets()["mrcr"].scores
    assert set(scores(row(), " Z9cc dd").values()) == {1.0}
    assert scores(row(), "cc dd")["official"] == 0
    wrong = scores(row(), "Z9aa bb")
    assert wrong["official"] == pytest.approx(0.2)
    assert wrong["exact_index"] == 0


def test_the_published_ratio_throws_frequent_characters_away() -> None:
    words = [f"{one}{two}" for one in "bdfgk" for two in ("amber", "olive", "stone", "quill")] * 3
    text = " ".join(words)
    other = text.replace("olive", "mixed")
    assert len(text) > 200
    assert ratio(other, text, junk=True) < ratio(other, text) - 0.2


def test_the_ordinal_is_the_place_among_equal_requests(tokenizer: Any) -> None:
    for each in generate("mrcr", tokenizer, 16384, 1, 8):
        place, request = re.findall(r"the (\d)\w\w (\w+ about \w+)\.", each.question)[0]
        turns = each.context.split(f"User: Write a {request}.\nAssistant: ")[1:]
        pieces = [turn.split("\n\n")[0].split("\nUser:")[0].strip() for turn in turns]
        assert len(pieces) == int(each.meta["kind"])
        assert pieces == each.meta["extra"]["pieces"]
        assert each.answers == [each.meta["extra"]["key"] + pieces[int(place) - 1]]


def test_wrong_pieces_of_the_request_score_nothing(tokenizer: Any) -> None:
    scores = sets()["mrcr"].scores
    for each in generate("mrcr_4", tokenizer, 16384, 1, 8):
        extra = each.meta["extra"]
        for number, piece in enumerate(extra["pieces"]):
            found = scores(each, extra["key"] + piece)
            assert found["score"] == (number == extra["index"])
            assert found["score"] == 1 or found["ratio_nojunk"] < 0.5
