"""Invented documents: deterministic, full, spread, and with answers that stand where they should."""

import random
import subprocess
import sys
from collections import Counter

import pytest
from conftest import ROOT

from prefixqa.document import TYPES
from prefixqa.invent import invent
from prefixqa.score import score
from prefixqa.template import MIX, Drawn, SpaceError, draw_document
from prefixqa.text import normalise
from prefixqa.tokens import TokenCounter


def draw(seed: int, words: int = 2500, questions: int = 24) -> Drawn:
    return draw_document(random.Random(seed), words, questions)


def test_the_seed_decides_everything() -> None:
    assert draw(3) == draw(3)
    assert draw(3).document.text != draw(4).document.text


def test_a_larger_budget_goes_on_from_the_same_beginning() -> None:
    short, long = draw(5, 1500).document.text, draw(5, 3000).document.text
    assert long.startswith(short)
    assert 0.97 * 3000 < len(long.split()) <= 3000


@pytest.mark.parametrize("seed", range(6))
def test_each_answer_follows_its_prefix_in_the_document_and_only_there(seed: int) -> None:
    drawn = draw(seed)
    text = drawn.document.text.lower()
    for pair in drawn.pairs:
        for evidence in pair.evidence:
            assert drawn.document.text[evidence.start : evidence.end] == evidence.text
        if pair.type == "comparison":
            continue
        stem = pair.answer_prefix.strip().lower()
        assert text.count(f"{stem} ") == 1
        value = pair.evidence[0].text.lower().split(f"{stem} ")[1].removesuffix(".")
        assert pair.answers[0].lower().startswith(value)
        if pair.type != "multi-span":
            assert pair.answers[0].lower() == value


def test_what_a_model_is_trained_to_say_scores_in_full() -> None:
    for seed in range(5):
        for pair in draw(seed).pairs:
            target = f" {pair.answers[-1]}."
            assert score(target, list(pair.answers), pair.answer_prefix)["exact"] == 1.0


def test_comparisons_name_the_larger() -> None:
    seen = 0
    for seed in range(20):
        for pair in draw(seed).pairs:
            if pair.type != "comparison":
                continue
            sizes = {
                each.text: int("".join(c for c in each.text.split(" ")[-2] if c.isdigit()))
                for each in pair.evidence
            }
            larger = max(sizes, key=lambda text: sizes[text])
            assert pair.answers[0] in larger
            assert all(pair.answers[0] not in text for text in sizes if text != larger)
            seen += 1
    assert seen >= 20


def test_multi_span_answers_hold_every_value() -> None:
    pairs = [pair for seed in range(10) for pair in draw(seed).pairs if pair.type == "multi-span"]
    assert len(pairs) == 20
    for pair in pairs:
        assert len(pair.evidence) >= 2
        for each in pair.evidence[1:]:
            stem_and_value = pair.answers[-1].split(" and ")[-1]
            assert stem_and_value.split()[-1] in pair.answers[0]
            assert normalise(each.text).split()[-1] in normalise(pair.answers[0])


def test_types_and_depths_are_spread() -> None:
    counts = Counter(pair.type for pair in draw(1).pairs)
    assert counts == Counter(MIX)
    assert set(counts) == set(TYPES)
    for seed in range(5):
        drawn = draw(seed)
        quarters = Counter(int(4 * drawn.document.depth(p.evidence[0])) for p in drawn.pairs)
        assert all(5 <= quarters[quarter] <= 7 for quarter in range(4))


def test_no_two_pairs_ask_the_same() -> None:
    drawn = draw(2, 3000, 60)
    assert len({pair.question for pair in drawn.pairs}) == 60


def test_documents_differ_in_their_sentences() -> None:
    text = draw(7, 3000).document.text
    sentences = [each for each in text.replace("\n", " ").split(". ") if len(each) > 20]
    assert len(set(sentences)) > 0.95 * len(sentences)


def test_too_little_room_is_said() -> None:
    with pytest.raises(SpaceError, match="enough for") as caught:
        draw(1, 150)
    assert 0 < caught.value.held < 24


def test_it_needs_the_standard_library_only() -> None:
    code = (
        "import sys, random; from prefixqa.template import draw_document; "
        "draw_document(random.Random(0), 2000); "
        "foreign = {'numpy', 'torch', 'hydra', 'datasets', 'openai', 'transformers', 'ruler', 'pydantic'};"
        "print(sorted(foreign & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("length", "questions"), [(1024, 6), (2048, 24), (4096, 24)])
def test_the_length_is_filled_and_never_passed(
    tokens: TokenCounter, length: int, questions: int
) -> None:
    for made in invent(tokens, 3, questions, length, seed=1):
        assert len(made.pairs) == questions
        assert 0.97 * length <= made.meta["total_tokens"] <= length


def test_a_length_too_short_for_the_questions_is_refused(tokens: TokenCounter) -> None:
    with pytest.raises(SpaceError, match="length 700 is too short for questions=24"):
        list(invent(tokens, 1, 24, 700, seed=0))
