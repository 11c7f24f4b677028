"""LongBench-v2: the prompt's parts, the letter of an answer, accuracies."""

import pytest

from longbench import v2
from longbench.errors import LongBenchError
from longbench.prompting.wording import V2
from longbench.scoring.metrics import FIXED, OFFICIAL

QUESTION = v2.Question(
    context=" the $Q$ text ",
    question="Which {one}? ",
    choices=("first", "$C_B$", "third", "fourth"),
    answer="B",
    difficulty="easy",
    length="short",
    domain="",
    source_id="",
)


def test_the_user_part_begins_with_the_line_that_asks() -> None:
    parts = v2.fill("Read.\n<$DOC$>\n\nTell: $Q$\nA $C_A$ B $C_B$ C $C_C$ D $C_D$", QUESTION)
    assert parts.context == "Read.\n<the $Q$ text>\n\n"
    assert parts.question == "Tell: Which {one}?\nA first B $C_B$ C third D fourth"
    assert parts.answer_prefix == ""


def test_our_own_template_fits() -> None:
    parts = v2.fill(V2, QUESTION)
    assert "the $Q$ text" in parts.context
    assert "(D) fourth" in parts.question


@pytest.mark.parametrize(
    "template",
    [
        "$DOC$\n$Q$ $C_A$ $C_B$ $C_C$",
        "$Q$\n$DOC$ $C_A$ $C_B$ $C_C$ $C_D$",
        "plain",
        "$DOC$ $DOC$\n$Q$",
    ],
)
def test_a_template_without_its_places_is_refused(template: str) -> None:
    with pytest.raises(LongBenchError, match="template of v2 has the places"):
        v2.fill(template, QUESTION)


def test_text_and_question_on_one_line_are_refused() -> None:
    with pytest.raises(LongBenchError, match="no line end"):
        v2.fill("$DOC$ $Q$ $C_A$ $C_B$ $C_C$ $C_D$", QUESTION)


@pytest.mark.parametrize(
    ("prediction", "official", "fixed"),
    [
        ("The correct answer is (B)", "B", "B"),
        ("I think so. **The correct answer is (C)**.", "C", "C"),
        ("The correct answer is D because", "D", "D"),
        ("The correct answer is (insert)", None, None),
        ("the correct answer is (B)", None, "B"),
        ("Answer: B", None, "B"),
        ("(C) third", None, "C"),
        ("D.", None, "D"),
        ("A good question", None, "A"),  # the price of taking a letter at the beginning
        ("Because", None, None),
        ("", None, None),
    ],
)
def test_the_letter_of_an_answer(prediction: str, official: str | None, fixed: str | None) -> None:
    assert v2.choice_of(prediction, OFFICIAL) == official
    assert v2.choice_of(prediction, FIXED) == fixed


def test_score() -> None:
    assert v2.score("The correct answer is (B)", "B") == 1.0
    assert v2.score("The correct answer is (A)", "B") == 0.0
    assert v2.score("none", "B") == 0.0


def test_accuracies_by_difficulty_and_length() -> None:
    rows = [
        ({"difficulty": "easy", "length": "short"}, 1.0),
        ({"difficulty": "hard", "length": "medium"}, 0.0),
        ({"difficulty": "hard", "length": "medium"}, 1.0),
    ]
    assert v2.breakdown(rows) == {
        "overall": (pytest.approx(200 / 3), 3),
        "easy": (100.0, 1),
        "hard": (50.0, 2),
        "short": (100.0, 1),
        "medium": (50.0, 2),
    }
