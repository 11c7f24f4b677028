"""Which subtasks there are, and which settings they take."""

from typing import Any

import pytest

from probes.find import find, subtask_names
from probes.generate import generate


def test_every_subtask_has_one_name() -> None:
    names = subtask_names()
    assert len(set(names)) == len(names)
    assert all(find(name, {}).label == name for name in names)
    assert find("kv", {"near": 3}).label == "kv-near3"
    assert find("kv", {"near": 0}).label == "kv"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("nothing", {}, "unknown subtask 'nothing'"),
    ("kv", {"shots": 3}, "shots: set kv has no such option"),
    ("kv", {"near": -1}, "near is -1; expected at least 0"),
    ("prefix_suffix", {"near": 126}, "near is 126; expected at most 100"),
    ("records", {"lead": 10**9}, "lead is 1000000000; expected at most 1000"),
    ("kv", {"turns": 0}, "turns is 0; expected at least 1"),
    ("kv", {"key_type": "nouns"}, "key_type is 'nouns'; expected one of hex, words, uuid"),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD)
def test_bad_settings_are_named(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find(name, options)


@pytest.mark.parametrize("name", ["samples", "length", "questions_per_context"])
def test_sizes_below_one_are_refused(tokenizer: Any, name: str) -> None:
    sizes = {"length": 1000, "samples": 1, "questions_per_context": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0"):
        next(generate("kv", tokenizer, **sizes))


def test_more_questions_than_a_context_has_tokens_are_refused(tokenizer: Any) -> None:
    with pytest.raises(
        ValueError, match="questions_per_context is 1001; expected at most length=1000"
    ):
        generate("kv", tokenizer, 1000, 1, 1001)


@pytest.mark.parametrize("name", ["kv", "prefix_suffix", "hop"])
def test_as_many_decoys_as_may_be_are_found(tokenizer: Any, name: str) -> None:
    rows = generate(name, tokenizer, 65536, 1, 2, options={"near": 100})
    assert len(list(rows)) == find(name, {}).questions(2)
