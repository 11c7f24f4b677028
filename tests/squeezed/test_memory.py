"""How much memory a context takes while it is prepared, beside what is kept of it."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import squeezed
from tests.squeezed.conftest import random_ids
from tests.squeezed.live import Live


def small(layers: int) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        max_position_embeddings=8192,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


# K-means holds up to three copies of one layer's keys, so few layers take a larger share.
@pytest.mark.parametrize(("layers", "most"), [(3, 1.6), (12, 1.25)])
def test_preparing_takes_little_beside_keys_and_values(layers, most):
    model = small(layers)
    with Live() as live:
        context = squeezed.prepare(model, random_ids(2048, 0) % 64, chunk=128)
    assert live.peak > context.kv_bytes  # it sees them
    assert live.peak < most * context.kv_bytes


def test_an_index_on_the_disk_is_small_beside_keys_and_values(tmp_path):
    context = squeezed.prepare(small(3), random_ids(4096, 0) % 64)
    context.save(tmp_path / "index", keys_values=False)
    size = sum(file.stat().st_size for file in (tmp_path / "index").rglob("*") if file.is_file())
    assert size < 0.04 * context.kv_bytes
