"""RULER's metrics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruler.score import found, postprocess, score, strict, string_match_all, string_match_part
from ruler.sources.words import vocabulary
from ruler.tasks import TASKS

letters = st.text("abc XYZ019-", min_size=1)
answer_lists = st.lists(letters, min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("prediction", "answers", "share"),
    [
        ("They are 1234567 and 7654321.", ["1234567", "7654321"], 1.0),
        ("They are 1234567 and 765432.", ["1234567", "7654321"], 0.5),
        ("QUIET-otter", ["quiet-Otter"], 1.0),
        ("", ["1"], 0.0),
        ("21234567", ["1234567"], 1.0),  # a substring counts, as in the original
        ("a", ["a", "b", "c", "d"], 0.25),
    ],
)
def test_match_all_is_the_share_of_answers_found(
    prediction: str, answers: list[str], share: float
) -> None:
    assert string_match_all(prediction, answers) == share
    assert string_match_part(prediction, answers) == (1.0 if share else 0.0)


@given(prediction=letters, answers=answer_lists)
def test_all_never_exceeds_part(prediction: str, answers: list[str]) -> None:
    every, some = string_match_all(prediction, answers), string_match_part(prediction, answers)
    assert 0 <= every <= some <= 1
    assert some == (every > 0)


@given(answers=answer_lists, before=letters, after=letters)
def test_a_prediction_that_holds_all_answers_scores_one(
    answers: list[str], before: str, after: str
) -> None:
    assert string_match_all(before + " ".join(answers).upper() + after, answers) == 1


@given(prediction=letters, answers=answer_lists, more=letters)
def test_a_longer_prediction_never_scores_less(
    prediction: str, answers: list[str], more: str
) -> None:
    assert string_match_all(prediction + more, answers) >= string_match_all(prediction, answers)


@given(answers=answer_lists, prediction=letters, order=st.randoms())
def test_the_order_of_answers_does_not_matter(
    answers: list[str], prediction: str, order: object
) -> None:
    shuffled = list(answers)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert string_match_all(prediction, shuffled) == string_match_all(prediction, answers)


@given(st.text())
def test_postprocess_leaves_newlines_as_the_only_control_characters(prediction: str) -> None:
    cleaned = postprocess(prediction)
    assert cleaned == cleaned.strip()
    assert not any(ord(character) < 32 and character != "\n" for character in cleaned)
    assert postprocess(cleaned) == cleaned


def test_postprocess_keeps_the_place_of_control_characters() -> None:
    assert postprocess(" \x00a\tb\x1fc\r\n") == "a\nb\nc"


def test_subtasks_have_their_metric() -> None:
    for subtask in {*TASKS, "niah_single_1-keys4", "vt-chains2"} - {"qa_1", "qa_2"}:
        assert score(subtask, " one ", ["one", "two"]) == 0.5
    for subtask in ("qa_1", "qa_2"):
        assert score(subtask, " one ", ["one", "two"]) == 1.0


def test_score_cleans_the_prediction_first() -> None:
    assert score("niah_single_1", "x 1\x00", ["1\n"]) == 0.0
    assert score("niah_single_1", "1\x002", ["1\n2"]) == 1.0


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown RULER subtask 'niah_single_9'"):
        score("niah_single_9", "x", ["x"])
    with pytest.raises(ValueError, match="no answer"):
        score("niah_single_1", "x", [])


@pytest.mark.parametrize(
    ("subtask", "prediction", "answers", "loose", "exact"),
    [
        ("niah_single_1", " 1234567. That is it.", ["1234567"], 1.0, 1.0),
        ("niah_single_1", " 21234567", ["1234567"], 1.0, 0.0),  # part of another number
        ("niah_single_1", " 7654321 or 1234567", ["1234567"], 1.0, 0.0),  # two guesses
        ("niah_multivalue", "(1) a has 1234567, (2) a has 7654321", ["7654321", "1234567"], 1, 1),
        ("niah_multiquery", " 1234567, 1111111", ["1234567", "7654321"], 0.5, 0.5),
        (
            "niah_multikey_3",
            "12345678-1234-4234-8234-123456789ABC",
            ["12345678-1234-4234-8234-123456789abc"],
            1,
            1,
        ),
        ("vt", " ABCDE, FGHIJ. Then I", ["FGHIJ", "ABCDE"], 1.0, 1.0),
        ("cwe", " 1. cart 2. otter", ["art", "otter"], 1.0, 0.5),  # art is in cart
        # words of the raw list (compat) with blanks and apostrophes
        ("cwe", " 1. Ice cream 2. otter", ["ice cream", "otter"], 1.0, 1.0),
        ("cwe", " 1. cart 2. ice cream", ["ice cream", "otter"], 0.5, 0.5),
        ("cwe", " 1. o'clock 2. will-o'-the-wisp", ["will-o'-the-wisp", "o'clock"], 1.0, 1.0),
        ("cwe", " 1. nice creams 2. otter", ["ice cream", "otter"], 1.0, 0.0),
        ("cwe", " 1. ice cream 2. ice", ["ice", "ice cream"], 1.0, 1.0),
        ("qa_2", " Nothing at all", ["no"], 1.0, 0.0),
        ("qa_2", " No.\nQuestion: ...", ["no"], 1.0, 1.0),
        ("qa_1", "the Harbour!", ["the pier", "harbour"], 1.0, 1.0),
        ("fwe", "", ["abcdef"], 0.0, 0.0),
    ],
)
def test_strict_leaves_no_room_for_luck(
    subtask: str, prediction: str, answers: list[str], loose: float, exact: float
) -> None:
    assert score(subtask, prediction, answers) == loose
    assert strict(subtask, prediction, answers) == exact


@given(answers=st.lists(st.integers(1_000_000, 9_999_999), min_size=1, max_size=6, unique=True))
def test_a_list_of_the_answers_is_strictly_right_and_a_longer_one_is_not(
    answers: list[int],
) -> None:
    texts = [str(answer) for answer in answers]
    assert strict("niah_multivalue", " and ".join(texts), texts) == 1
    wrong = [str(11_000_000 - answer) for answer in answers if 11_000_000 - answer not in answers]
    everything = " ".join([*wrong, *texts])
    assert string_match_all(everything, texts) == 1
    kept = [text for text in wrong if len(text) == 7][: len(texts)]
    lost = len(kept) / len(texts)
    assert strict("niah_multivalue", everything, texts) == pytest.approx(1 - lost)


def test_found_tells_the_answers_apart() -> None:
    assert found("A 1\n", ["a", "b", "1"]) == [True, False, True]


def test_every_word_of_the_raw_list_can_be_strictly_right() -> None:
    words = list(vocabulary(raw=True))
    listed = " ".join(f"{number}. {word}" for number, word in enumerate(words, start=1))
    assert any(" " in word for word in words)
    assert strict("cwe", listed, words) == 1
