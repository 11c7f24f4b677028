"""A random Llama small enough to run in every test; large weights make its attention sharp."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

import squeezed
from squeezed.index.build import build_levels
from squeezed.index.layer import LayerIndex
from squeezed.index.settings import Settings

VOCAB = 300
WINDOW = 100  # of every context prepared here
STATISTICS = tuple(squeezed.statistics_for(n for m in squeezed.METHODS.values() for n in m.needs))
LEVELS = {1: (0.05,), 2: (0.01, 0.05), 3: (0.002, 0.01, 0.05)}  # by depth


def tiny_llama(
    kv_heads: int = 2,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    layers: int = 3,
    **settings,
):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        initializer_range=0.2,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=1,
        **settings,
    )
    return LlamaForCausalLM(config).to(dtype).eval()


def random_ids(count: int, seed: int) -> torch.Tensor:
    # From 2: generate() takes token 1, the padding, for positions to mask.
    return torch.randint(2, VOCAB, (count,), generator=torch.Generator().manual_seed(seed))


def logits(model, ctx, method, question) -> torch.Tensor:
    """Logits ``[L, vocabulary]`` of a user input's forward pass on a new cache."""
    with torch.inference_mode():
        return model(question[None], past_key_values=ctx.cache(method)).logits[0]


def attention_weights(model, ids) -> tuple[torch.Tensor, ...]:
    """Weights ``[1, Hq, L, L]`` of each layer, by the model's own eager attention, of ids ``[L]``."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            return model(ids[None], output_attentions=True).attentions
    finally:
        model.set_attn_implementation(before)


def first_pass(model, ctx, method, question):
    """The cache after a user input's forward pass: one step, the same for every method."""
    cache = ctx.cache(method)
    with torch.inference_mode():
        model(question[None], past_key_values=cache)
    return cache


def lookup_of(step) -> torch.Tensor:
    """What a layer's lookup read in one step, in tokens, ``[B, H]``."""
    return torch.as_tensor(step.lookup).expand_as(step.rows)


def layer_of(keys, positions=None, offsets=((0, 6, 10),), window=2, **fields) -> LayerIndex:
    """A layer made by hand, one KV head: ``keys`` in cluster order, then the window's."""
    keys = torch.as_tensor(keys, dtype=torch.float32)
    keys = keys.view(1, len(keys), -1)
    clustered = keys.shape[1] - window
    positions = range(clustered) if positions is None else positions
    bounds = tuple(torch.tensor([each], dtype=torch.int32) for each in offsets)
    return LayerIndex(
        keys=keys,
        values=torch.arange(float(keys.numel())).view_as(keys),
        positions=torch.tensor([list(positions)], dtype=torch.int32),
        levels=build_levels(keys[:, :clustered], bounds),
        window=window,
        scale=1.0,
        **fields,
    )


def context_of(*layers: LayerIndex) -> squeezed.FixedContext:
    """A context of layers made by hand."""
    tokens = layers[0].tokens
    levels = tuple(level.clusters / layers[0].clustered for level in layers[0].levels)
    return squeezed.FixedContext(
        torch.arange(tokens), layers, Settings(levels, layers[0].window), "made by hand"
    )


def kept_places(ctx, method, query, layer: int = 0) -> list[int]:
    """Places in the context of the rows that head 0 keeps for a query ``[L, D]``."""
    selector = method.bind(ctx, "reference")[layer]
    selection = selector.select(torch.as_tensor(query)[None, None], None)
    return sorted(ctx.layers[layer].positions[0][selection.row_mask()[0, 0, 0]].tolist())


@pytest.fixture(scope="session")
def model():
    return tiny_llama()


@pytest.fixture(scope="session")
def ctx(model):
    """Depth 1, with everything that any method asks for."""
    return squeezed.prepare(model, random_ids(613, seed=1), statistics=STATISTICS)


@pytest.fixture(scope="session")
def deep(model):
    """Contexts of 2000 clustered keys, by depth."""
    ids = random_ids(2000 + WINDOW, seed=1)
    return {depth: squeezed.prepare(model, ids, levels) for depth, levels in LEVELS.items()}
