"""A random Llama small enough to run in every test; large weights make its attention sharp."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import squeezed

VOCAB = 300


def tiny_llama(kv_heads: int = 2, dtype: torch.dtype = torch.float32, seed: int = 0):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        initializer_range=0.2,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=1,
    )
    return LlamaForCausalLM(config).to(dtype).eval()


def random_ids(count: int, seed: int) -> torch.Tensor:
    # From 2: generate() takes token 1, the padding, for positions to mask.
    return torch.randint(2, VOCAB, (count,), generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="session")
def model():
    return tiny_llama()


@pytest.fixture(scope="session")
def ctx(model):
    return squeezed.prepare(model, random_ids(613, seed=1))
