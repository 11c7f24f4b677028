"""SQuAD's scores, what counts as the answer, and quotations."""

import pytest

from prefixqa.score import answer_of, score
from prefixqa.text import f1, find_quote, normalise


@pytest.mark.parametrize(
    ("prediction", "answers", "prefix", "f1_", "exact"),
    [
        (" 412 kilograms.", ["412 kilograms"], " It weighs", 1.0, 1.0),
        (" 412 kilograms. The next one is lighter.", ["412 kilograms"], " It weighs", 1.0, 1.0),
        ("\n\nThe Red Barn\n\nQuestion: more", ["red barn"], "", 1.0, 1.0),
        ("in the red barn", ["the red barn"], "", 0.8, 0.0),
        ("green", ["red", "green"], "", 1.0, 1.0),
        ("", ["red"], "", 0.0, 0.0),
        ("It is 3.5 metres", ["3.5 metres"], " It is", 2 / 3, 0.0),
    ],
)
def test_scores(prediction: str, answers: list[str], prefix: str, f1_: float, exact: float) -> None:
    found = score(prediction, answers, prefix)
    assert found == {"f1": pytest.approx(f1_), "exact": exact}


def test_a_sentence_end_cuts_only_after_a_prefix() -> None:
    assert answer_of("Dr. Holm. He left.", "") == "Dr. Holm. He left."
    assert answer_of(" 3.5 metres. He left.", " It measures") == "3.5 metres"


def test_no_answers_is_an_error() -> None:
    with pytest.raises(ValueError, match="no answer"):
        score("x", [])


def test_normalisation_is_that_of_squad() -> None:
    assert normalise("The  Amber-Lantern, (an old RIG)!") == "amberlantern old rig"
    assert f1("a the", "an") == 1.0
    assert f1("", "word") == 0.0


def test_quotations_are_found_whatever_their_blanks_and_quotes() -> None:
    text = "He said \u201cit\u2019s\nlate\u201d - and left. It's late, again."
    assert find_quote('"IT\'S late"', text) is not None
    span = find_quote("it's late", text, start=20)
    assert span is not None
    assert text[slice(*span)] == "It's late"
    assert find_quote("he left early", text) is None
    assert find_quote("late", text) is None  # one word is no quotation
