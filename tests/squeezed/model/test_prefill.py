"""How many tokens of a context a forward pass takes."""

import torch

from squeezed.model import attention, prefill
from squeezed.model.layers import FULL, SLIDING, Attends
from squeezed.model.states import LayerStates
from tests.squeezed.conftest import random_ids, tiny_llama

ALL, WINDOWED = [Attends(FULL)] * 3, [Attends(FULL), Attends(SLIDING, 64), Attends(FULL)]


def switched(**settings):
    model = tiny_llama(**settings)
    attention.switch(model)
    return model


def test_a_wider_model_takes_fewer_tokens_but_never_less_than_the_least(monkeypatch):
    narrow, wide = switched(), switched(kv_heads=4)
    few, many = (prefill.chunk_for(model, ALL) for model in (wide, narrow))
    assert prefill.CHUNK < few < many
    monkeypatch.setattr(prefill, "ACTIVATIONS", 1000)
    assert prefill.chunk_for(narrow, ALL) == prefill.CHUNK


def test_layers_with_a_window_gain_nothing_by_longer_passes():
    assert prefill.chunk_for(switched(), WINDOWED) == prefill.CHUNK


def test_16_bits_take_half_the_memory():
    model, half = switched(), switched(dtype=torch.bfloat16)
    assert prefill.chunk_for(half, ALL) // 2 == prefill.chunk_for(model, ALL)


def test_keys_and_values_are_those_of_any_other_number_of_tokens(monkeypatch):
    model, ids = switched(), random_ids(300, seed=5)
    whole = prefill.prefill(model, ids, 100)
    for parts in zip(whole, prefill.prefill(model, ids, 100, chunk=64), strict=True):
        assert all(isinstance(each, LayerStates) for each in parts)
        for name in ("keys", "values", "queries"):
            torch.testing.assert_close(*(getattr(each, name) for each in parts), rtol=0, atol=1e-4)
