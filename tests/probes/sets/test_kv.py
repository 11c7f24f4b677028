"""Keys, strings by their ends, and chains: hand-worked examples, decoys, turns."""

import re
from typing import Any

from probes.find import sets
from probes.generate import generate
from rows.row import Row


def row(*answers: str) -> Row:
    return Row("1", "probes", "kv", "context", "?", "", list(answers), 8, {})


def test_by_hand() -> None:
    kv, ends, hop = (sets()[name].scores for name in ("kv", "prefix_suffix", "hop"))
    # {a1: b1, a2: b2, a3: b3}, asked for a2.
    assert kv(row("b2"), " b2\na3: b3")["strict"] == 1
    assert kv(row("b2"), "x b2 y") == {"score": 0, "official": 1, "strict": 0}
    # ab and yz among ab-q-yz, ab-r-yy, aa-s-yz.
    assert ends(row("ab-q-yz", "q"), " ab-q-yz.")["score"] == 1
    assert ends(row("ab-q-yz", "q"), " q")["score"] == 1
    assert ends(row("ab-q-yz", "q"), " ab-r-yy")["score"] == 0
    assert hop(row("17"), " 17.")["score"] == 1
    assert hop(row("17"), " B, which points to C")["score"] == 0


def test_decoys_differ_from_a_key_in_one_character(tokenizer: Any) -> None:
    for kind in ("hex", "words", "uuid"):
        options = {"near": 3, "key_type": kind}
        for each in generate("kv", tokenizer, 4096, 1, 5, options=options):
            keys = [line.split(":")[0] for line in each.context.splitlines()[2:]]
            assert len(set(keys)) == len(keys)
            asked = each.answer_prefix[:-1]
            off = [sum(a != b for a, b in zip(key, asked, strict=False)) for key in keys]
            same = [number for number, key in zip(off, keys, strict=True) if len(key) == len(asked)]
            assert same.count(0) == 1
            assert same.count(1) >= 3


def test_neither_end_alone_finds_a_string(tokenizer: Any) -> None:
    for each in generate("prefix_suffix", tokenizer, 4096, 1, 5):
        lines = each.context.splitlines()[2:]
        first, _, last = each.answers[0].split("-")
        begins, ends = (
            {line for line in lines if line.startswith(first)},
            {line for line in lines if line.endswith(last)},
        )
        assert len(begins) >= 2
        assert len(ends) >= 2
        assert begins & ends == {each.answers[0]}


def test_chains_lead_to_their_number(tokenizer: Any) -> None:
    for each in generate("hop", tokenizer, 8192, 1, 5, options={"near": 1}):
        links = dict(re.findall(r"Box (\w+) points to box (\w+)\.", each.context))
        ends = dict(re.findall(r"Box (\w+) holds (\d+)\.", each.context))
        box, steps = each.answer_prefix.split()[1], 1
        while box in links:
            box, steps = links[box], steps + 1
        assert [ends[box]] == each.answers
        assert steps == each.meta["hops"] == int(each.meta["kind"])
        assert each.meta["evidence_lines"] == steps


def test_turns_give_the_answers_of_earlier_questions(tokenizer: Any) -> None:
    alone = list(generate("kv", tokenizer, 4096, 1, 5))
    turns = list(generate("kv", tokenizer, 4096, 1, 5, options={"turns": 3}))
    assert turns[0].subtask == "kv-turns3"
    first, second, third, fourth, _ = (each.question for each in turns)
    assert first == alone[0].question
    before = f"{alone[0].question}{alone[0].answer_prefix} {alone[0].answers[0]}\n"
    assert second == before + alone[1].question
    assert third.count("Which value") == 3
    assert fourth.count("Which value") == 1  # a new conversation
    assert third.endswith(alone[2].question)
    assert {each.answers[0] for each in turns} == {each.answers[0] for each in alone}
