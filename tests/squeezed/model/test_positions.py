"""The longest sequence that a configuration tells of, against what the model computes."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

import squeezed
from squeezed.model.positions import PositionLimit, position_limit
from tests.squeezed.conftest import random_ids, tiny_llama

SMALL = {"vocab_size": 300, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": None}
TABLES = {
    "gpt2": {"n_embd": 32, "n_head": 4, "n_layer": 1, "n_positions": 140},
    "opt": {
        "hidden_size": 32,
        "ffn_dim": 32,
        "word_embed_proj_dim": 32,
        "num_attention_heads": 4,
        "num_hidden_layers": 1,
        "max_position_embeddings": 140,
    },
    "gptj": {"n_embd": 32, "n_head": 4, "n_layer": 1, "n_positions": 140, "rotary_dim": 4},
    "roberta": {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_attention_heads": 4,
        "num_hidden_layers": 1,
        "max_position_embeddings": 142,
        "is_decoder": True,
    },
}


def config_of(name, **changes):
    return AutoConfig.for_model(name, **{**SMALL, **TABLES.get(name, {}), **changes})


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_positions_ends_where_it_is_said_to(name):
    config = config_of(name)
    assert position_limit(config) == PositionLimit(140, True, "table")
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.inference_mode():
        model(random_ids(140, seed=1)[None])
        with pytest.raises((IndexError, RuntimeError)):
            model(random_ids(141, seed=1)[None])


@pytest.mark.parametrize("name", ["gpt2", "opt"])
def test_more_tokens_than_positions_are_refused_with_both_lengths(name):
    model = AutoModelForCausalLM.from_config(config_of(name)).eval()
    with pytest.raises(
        ValueError, match=f"{name} has a table of positions for 140 tokens, and 141"
    ):
        squeezed.prepare(model, random_ids(141, seed=1))
    ctx = squeezed.prepare(model, random_ids(130, seed=1))
    settings = {"method": squeezed.Full(), "max_new_tokens": 3}
    assert squeezed.generate(model, ctx, random_ids(8, seed=2), **settings).lengths == (3,)
    with pytest.raises(ValueError, match="141 are asked for"):
        squeezed.generate(model, ctx, random_ids(9, seed=2), **settings)
    prompt = torch.cat([ctx.ids, random_ids(9, seed=2)])[None]
    cache = ctx.cache(squeezed.Full())
    with pytest.raises(ValueError, match="141 are asked for"):
        model.generate(prompt, past_key_values=cache, max_new_tokens=3, do_sample=False)


def test_rotary_positions_extrapolate():
    model = tiny_llama(layers=1, max_position_embeddings=110)
    assert position_limit(model.config) == PositionLimit(110, False, "rotary")
    ctx = squeezed.prepare(model, random_ids(120, seed=1))
    settings = {"method": squeezed.Full(), "max_new_tokens": 2}
    assert squeezed.generate(model, ctx, random_ids(5, seed=2), **settings).lengths == (2,)


@pytest.mark.parametrize(
    ("name", "changes", "tokens"),
    [
        ("llama", {"max_position_embeddings": 77}, 77),
        (
            "qwen2",
            {
                "max_position_embeddings": 100,
                "rope_parameters": {
                    "rope_type": "yarn",
                    "rope_theta": 1e6,
                    "factor": 4.0,
                    "original_max_position_embeddings": 100,
                },
            },
            400,
        ),
        ("gemma3", {}, 131072),
        ("gemma4", {}, 131072),
        ("bloom", {}, None),
        ("mamba", {}, None),
        ("falcon", {"alibi": True}, None),
    ],
)
def test_limits_that_configurations_tell_of(name, changes, tokens):
    limit = position_limit(AutoConfig.for_model(name, **changes))
    assert limit == (None if tokens is None else PositionLimit(tokens, False, "rotary"))
