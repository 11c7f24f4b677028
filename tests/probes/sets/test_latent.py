"""Latent associations: a hand-worked example, no shared words, distractors."""

import re
from typing import Any

import pytest

from probes.find import sets
from probes.generate import generate
from probes.sets.latent import THEMES, apart
from rows.row import Row


def test_by_hand() -> None:
    scores = sets()["latent"].scores
    row = Row("1", "probes", "latent", "c", "?", "", ["Mirado"], 8, {})
    assert scores(row, " Mirado.")["score"] == 1
    assert scores(row, "I think Mirado lives there") == {"score": 0, "official": 1, "strict": 0}
    assert scores(row, " mirado")["official"] == 0  # the published one minds the case


def test_no_pair_of_the_tables_shares_a_word() -> None:
    for theme in THEMES.values():
        for thing, implied in theme.pairs.items():
            values = {"name": "Mirado", "thing": thing, "implied": implied}
            apart(theme.needle.format(**values), theme.latent.format(**values))
    with pytest.raises(ValueError, match="share 'tower'"):
        apart("He saw the Tower.", "Who lives by a tower?")


def test_what_is_implied_stands_in_distractors_only(tokenizer: Any) -> None:
    for row in generate("latent", tokenizer, 16384, 1, 10):
        if not row.meta["kind"].endswith("latent"):
            continue
        theme = THEMES[row.meta["kind"].split("_")[0]]
        pattern = re.escape(theme.latent).replace(r"\{implied\}", "(.+)")
        implied = re.findall(pattern, row.question)[0]
        lines = [line for line in row.context.splitlines() if re.search(rf"\b{implied}\b", line)]
        distractor = theme.distractor.format(implied=implied)
        assert lines == [distractor]
        # Far from the sentence that answers.
        place = row.context.index(distractor) / len(row.context)
        assert abs(place - row.meta["depth"]) > 0.04


def test_literal_questions_are_about_the_same_sentences(tokenizer: Any) -> None:
    rows = list(generate("latent", tokenizer, 8192, 1, 10))
    for theme in THEMES:
        one, other = (
            [row for row in rows if row.meta["kind"] == f"{theme}_{form}"]
            for form in ("latent", "literal")
        )
        assert [row.answers for row in one] == [row.answers for row in other]
        assert [row.meta["spans"] for row in one] == [row.meta["spans"] for row in other]
        assert len({row.answers[0] for row in one}) == 10
