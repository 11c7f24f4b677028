"""Prompts too long: what is kept, what it depends on, and how much was cut."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longbench.errors import LongBenchError
from longbench.prompting.generation import stop_ids
from longbench.prompting.prompts import load_prompts
from longbench.prompting.truncate import cut_middle, cut_prompt
from longbench.rows import rows
from longbench.sources.source import find
from rows.row import Row


@given(ids=st.lists(st.integers(0, 99), max_size=40), limit=st.integers(2, 50))
def test_beginning_and_end_are_kept(ids: list[int], limit: int) -> None:
    kept, cut = cut_middle(ids, limit)
    assert len(kept) == min(len(ids), limit)
    assert len(kept) + cut == len(ids)
    last = limit // 2
    if cut:
        assert kept == ids[: limit - last] + ids[-last:]
    else:
        assert kept == ids


def test_an_odd_limit_loses_nothing() -> None:
    assert cut_middle([1, 2, 3, 4, 5, 6], 5) == ([1, 2, 3, 5, 6], 1)


def test_a_limit_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(LongBenchError, match="1 tokens are left"):
        cut_middle([1, 2, 3], 1)


@pytest.fixture
def row() -> Row:
    return rows("qasper", find("fixture", "qasper"), load_prompts("suite"))[0]


def test_compat_keeps_both_ends_of_the_whole_prompt(row: Row, tokenizer: Any) -> None:
    cut = cut_prompt(row, tokenizer, 301)
    ids = tokenizer(row.context + row.question)["input_ids"]
    whole = cut.context + cut.question
    head, tail = (
        tokenizer.decode(part, skip_special_tokens=True) for part in (ids[:150], ids[-150:])
    )
    assert whole == head + tail
    assert cut.question == row.question
    assert cut.meta["prompt_tokens_cut"] == len(ids) - 300


def test_compat_depends_on_the_question(row: Row, tokenizer: Any) -> None:
    longer = dataclasses.replace(
        row, question="In which of all those towns, and when? " + row.question
    )
    assert len({cut_prompt(each, tokenizer, 400).context for each in (row, longer)}) == 2


def test_compat_leaves_a_short_prompt_alone(row: Row, tokenizer: Any) -> None:
    cut = cut_prompt(row, tokenizer, 100_000)
    assert (cut.context, cut.meta["prompt_tokens_cut"]) == (row.context, 0)


def test_compat_refuses_to_cut_the_question(row: Row, tokenizer: Any) -> None:
    with pytest.raises(LongBenchError, match="qasper-0000: half of 20 tokens"):
        cut_prompt(row, tokenizer, 20)


def test_only_samsum_stops_at_a_newline(tokenizer: Any) -> None:
    newline = tokenizer.encode("\n", add_special_tokens=False)[-1]
    assert stop_ids("samsum", tokenizer) == stop_ids("samsum_e", tokenizer) == (newline,)
    assert stop_ids("qasper", tokenizer) == ()
    assert newline in stop_ids("samsum", tokenizer, "fixed")
