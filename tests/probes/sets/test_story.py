"""Stories: hand-worked scores, answers told anew from the text, densities of the counties."""

import re
from typing import Any

import pytest

from probes import score
from probes.generate import generate
from probes.sets import babi

CHAPTER = re.compile(
    r"^Chapter (\d+), county of (\w+)\. (\w+) came to (\w+) and [^.]+\."
    r"(?: There, \w+ bought the (\w+ \w+?)(?: and sold the (.+))?\.)?$",
    re.MULTILINE,
)


def test_by_hand() -> None:
    assert score.overlap("1, 2", ["2"]) == 0.5
    assert score.overlap("2 and 3", ["3", "2"]) == 1
    assert score.overlap("", ["2"]) == 0


def test_labels_by_hand() -> None:
    place, other = babi.PLACES[:2]
    assert babi.official(f"In the {place}.", place, "Where is Ann?", []) == 1
    assert babi.official(f"{place} or {other}", place, "Where is Ann?", []) == 0
    assert babi.official(f"After the {other}, the {place}", place, f"before the {other}?", []) == 1
    assert babi.official("Mirado", "Mirado", "Who?", ["Mirado", "Velaro"]) == 1


def test_answers_follow_from_the_chapters(tokenizer: Any) -> None:
    for row in generate("story", tokenizer, 16384, 2, 6):
        chapters = CHAPTER.findall(row.context)
        assert len(chapters) == row.context.count("Chapter ")
        kind = row.meta["kind"]
        if kind == "retrieval":
            (number,) = re.findall(r"\d{6}", row.question)
            (found,) = [each for each in chapters if each[0] == number]
            assert row.answers[0] in found[2:5]
        elif kind == "multihop":
            (item,) = re.findall(r"buyer of the (\w+ \w+)", row.question)
            (who,) = [each[2] for each in chapters if each[4] == item]
            bought = [each[4] for each in chapters if each[2] == who and each[4]]
            assert row.answers == [bought[bought.index(item) - 1]]
        else:
            (county,) = re.findall(r"county of (\w+)", row.question)
            here = [each for each in chapters if each[1] == county]
            assert sorted(row.answers) == sorted(each[0] for each in here if not each[4])
            assert row.meta["evidence_lines"] == len(here)


def test_counties_have_all_densities(tokenizer: Any) -> None:
    rows = list(generate("story_filtering", tokenizer, 65536, 1, 6))
    found = sorted(row.meta["density"] for row in rows)
    for density, share in zip(found, (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2), strict=True):
        assert density == pytest.approx(share, rel=0.35)


def test_the_last_move_wins(tokenizer: Any) -> None:
    for row in generate("babi_1", tokenizer, 8192, 1, 10):
        (who,) = re.findall(r"Where is (\w+)\?", row.question)
        pattern = rf"^{who} (?:went to|is in|moved to) the (\w+ \w+)"
        moves = re.findall(pattern, row.context, re.MULTILINE)
        assert len(moves) == 3
        assert row.answers == [moves[-1]]


def test_carried_things_are_where_their_carrier_went(tokenizer: Any) -> None:
    for row in generate("babi_2", tokenizer, 8192, 1, 10):
        (thing,) = re.findall(r"Where is the (\w+ \w+)\?", row.question)
        lines = row.context.splitlines()
        (taken,) = [
            n for n, text in enumerate(lines) if re.search(rf"(took|up) the {thing}\.", text)
        ]
        who = re.findall(r"(?:There )?(\w+) (?:took|picked)", lines[taken])[0]
        put = [n for n, text in enumerate(lines) if re.search(rf"(down|left) the {thing}", text)]
        moves = [
            (n, text.split(" the ")[1].split(" now")[0].strip("."))
            for n, text in enumerate(lines)
            if re.match(rf"{who} (went|is|moved)", text)
        ]
        until = put[0] if put else len(lines)
        assert row.answers == [[place for n, place in moves if n < until][-1]]
