"""Where questions are asked for, and the checks by rule."""

import itertools
import random
from collections import Counter

import pytest

from prefixqa.document import Document, Pair
from prefixqa.mix import quotas
from prefixqa.output.splits import split_of
from prefixqa.service.plan import Chunk, chunks, plan
from prefixqa.service.rules import holds, is_same
from prefixqa.spread import Strata
from prefixqa.template import draw_document
from prefixqa.tokens import TokenCounter


def test_chunks_cover_the_document_and_begin_with_sentences(tokens: TokenCounter) -> None:
    document = draw_document(random.Random(1), 4000).document
    parts = chunks(document, tokens, 24)
    assert len(parts) >= 4
    assert (parts[0].start, parts[-1].end) == (0, len(document.text))
    assert all(one.end == two.start for one, two in itertools.pairwise(parts))
    assert all(document.text[part.start].isupper() for part in parts[1:])
    sizes = [part.end - part.start for part in parts]
    assert max(sizes) < 1.5 * min(sizes)


def test_a_plan_gives_every_passage_its_share() -> None:
    parts = [Chunk(at * 100, at * 100 + 100) for at in range(6)]
    asks = plan(parts, 24, [])
    totals = [ask.wanted.total() for ask in asks]
    assert len(asks) == 6
    assert max(totals) - min(totals) <= 1
    assert sum(totals) == 31  # 24 and a surplus
    assert all(len(ask.wanted) >= 3 for ask in asks)


def test_a_second_round_asks_for_what_is_missing_where_it_is_missing() -> None:
    document = Document("d", "d", "x" * 600, "s")
    have = [
        Pair(f"question {at}?", ("a",), kind, (document.evidence(at * 30, at * 30 + 5),))
        for at, kind in enumerate(["factual"] * 6 + ["numeric"] * 4)
    ]  # all in the first half
    asks = plan([Chunk(0, 300), Chunk(300, 600)], 24, have)
    wanted = sum((ask.wanted for ask in asks), Counter[str]())
    assert wanted["factual"] == 0
    first = next((ask.wanted.total() for ask in asks if ask.chunk.start == 0), 0)
    assert first < asks[-1].wanted.total()
    assert plan([Chunk(0, 600)], 10, have) == []


def test_quotas_keep_the_proportions_and_the_sum() -> None:
    assert quotas(24, {"factual": 1, "numeric": 1}) == {"factual": 12, "numeric": 12}
    assert quotas(7, {"factual": 3, "numeric": 2, "method": 1}).total() == 7
    with pytest.raises(ValueError, match="unknown question type 'riddle'"):
        quotas(3, {"riddle": 1})
    with pytest.raises(ValueError, match="weights"):
        quotas(3, {"factual": 0})


def test_strata_take_one_item_each_as_far_as_there_are_any() -> None:
    items = list(range(0, 1000, 10))
    strata = Strata(random.Random(0), 10, 1000)
    taken = []
    for _ in range(10):
        taken.append(strata.take([each for each in items if each not in taken], lambda each: each))
    assert sorted(each // 100 for each in taken) == list(range(10))


def test_support_wants_every_number() -> None:
    document = Document("d", "d", "The mast is 40 metres high and was built by Ada Holm.", "s")
    evidence = (document.evidence(0, len(document.text)),)
    assert holds("40 metres", evidence) == 1.0
    assert holds("41 metres", evidence) == 0.0
    assert holds("Ada Holm, engineer", evidence) == pytest.approx(2 / 3)


def test_pairs_are_the_same_by_wording_or_by_place_and_answer() -> None:
    document = Document("d", "d", "The mast is 40 metres high. It was built by Ada Holm.", "s")
    first, second = document.evidence(0, 27), document.evidence(28, 53)

    def pair(question: str, answer: str, place: int = 0) -> Pair:
        return Pair(question, (answer,), "factual", ((first, second)[place],))

    one = pair("How high is the mast?", "40 metres")
    assert is_same(one, pair("How high is the  mast", "forty", 1))
    assert is_same(one, pair("What height does it have?", "40 Metres."))
    assert not is_same(one, pair("Who built it?", "Ada Holm", 1))


def test_splits_are_by_document_and_stable() -> None:
    ids = [f"doc-{at}" for at in range(10)]
    split = split_of(ids, 0.5, 0.2, 0)
    assert Counter(split.values()) == {"train": 5, "validation": 2, "test": 3}
    assert split_of(ids[::-1], 0.5, 0.2, 0) == split
    assert split_of(ids, 0.5, 0.2, 1) != split
    with pytest.raises(ValueError, match="leave some of 1"):
        split_of(ids, 0.7, 0.3, 0)
    with pytest.raises(ValueError, match="none of 1 documents"):
        split_of(["only"], 0.9, 0.0, 0)


def test_documents_and_pairs_refuse_nonsense() -> None:
    document = Document("d", "d", "short", "s")
    with pytest.raises(ValueError, match="expected a range inside"):
        document.evidence(3, 9)
    evidence = (document.evidence(0, 5),)
    for arguments in (("", ("a",), "factual", evidence), ("q?", (), "factual", evidence),
                      ("q?", ("a",), "riddle", evidence), ("q?", ("a",), "factual", ())):  # fmt: skip
        with pytest.raises(ValueError, match="pair"):
            Pair(*arguments)
