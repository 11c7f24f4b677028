"""Requests that cannot be answered are told of before any is; needs no harness."""

import pytest
from transformers import LlamaConfig

from bench.config.errors import InputError
from bench.harness import room, settings
from bench.harness.cut import Prompt

MODEL = LlamaConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1
)


def prompt(document: int, tokens: int) -> Prompt:
    return Prompt("qa", document, "", tuple(range(tokens)), {})


def test_a_context_that_is_too_short_for_the_size_is_refused() -> None:
    asked = settings.read({"method": "squeezed_topk", "kv_budget": 0.2, "window": 100})
    prompts = [prompt(0, 900), prompt(1, 420), prompt(2, 460)]
    with pytest.raises(
        InputError,
        match=r"task qa, document 1, a fixed context of 400 tokens: a budget of 80 of 400",
    ):
        room.check(asked, MODEL, "float32", prompts, [880, 400, 440])
    room.check(asked, MODEL, "float32", prompts[:1], [880])


def test_sizes_that_need_no_shape_are_checked_on_unknown_models() -> None:
    asked = settings.read({"method": "squeezed_topk", "kv_tokens": 500, "kv_budget": None})
    with pytest.raises(InputError, match="kv_tokens is 500, and the context has 400 tokens"):
        room.check(asked, object(), "float32", [prompt(0, 420)], [400])


def test_the_last_of_many_prompts_that_is_too_long_is_refused() -> None:
    prompts = [prompt(0, 80), prompt(1, 95)]
    room.check_lengths(prompts, [20, 5], 100)
    with pytest.raises(InputError, match=r"document 1: 95 tokens and 6 behind.* has room for 100"):
        room.check_lengths(prompts, [20, 6], 100)
