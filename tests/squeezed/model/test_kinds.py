"""Kinds of attention beyond plain layers: sinks, latents, chunks, shared keys, indexers, parts that see."""

import dataclasses

import pytest
import torch
from squeezed_kernels import attend
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

import squeezed
from squeezed.check.exactness import Plan, check
from squeezed.check.tiny import VOCABULARY, tiny_config, tiny_model
from squeezed.errors import UnsupportedModelError
from squeezed.model import families
from squeezed.model.attention import NAME, forward
from squeezed.model.layers import CHUNKED, FULL, SLIDING, attends
from squeezed.model.logits import Logits
from squeezed.model.positions import first_position
from squeezed.model.prefill import CaptureLayer, prefill
from squeezed.model.tags import Tagged, layer_of, plain, tag
from tests.squeezed.conftest import attention_weights

# A type of each kind, and how many of its layers have an index, a window or chunks, and neither.
KINDS = {
    "gpt_oss": (2, 2, 0),  # sinks
    "mimo_v2_flash": (2, 2, 0),  # sinks in sliding layers, keys and values of different sizes
    "deepseek_v3": (2, 0, 0),  # latent attention
    "dots3_note_text": (2, 2, 0),  # latents in sliding layers, of other sizes; an indexer
    "llama4_text": (2, 2, 0),  # chunks
    "gptj": (2, 0, 0),  # attention in code of its own
    "gemma4_text": (1, 1, 2),  # shared keys and values, head sizes that differ between layers
}
N, WINDOW = 140, 20
every_kind = pytest.mark.parametrize("kind", KINDS)
_made: dict[str, tuple] = {}


def ids(count, seed):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(4, VOCABULARY, (count,), generator=draw)


def made(kind):
    """The model, its own logits after a question, and a context; made once."""
    if kind not in _made:
        model, context, question = tiny_model(tiny_config(kind)), ids(N, 1), ids(13, 2)
        with torch.inference_mode():
            wanted = model(torch.cat([context, question])[None], use_cache=False).logits[0, N:]
        ctx = squeezed.prepare(
            model, context, window=WINDOW, chunk=45, statistics=("received_attention",)
        )
        _made[kind] = model, ctx, question, wanted
    return _made[kind]


def logits_of(model, ctx, question, method):
    with torch.inference_mode():
        return model(question[None], past_key_values=ctx.cache(method)).logits[0]


@every_kind
def test_nothing_dropped_is_the_models_own_pass(kind):
    model, ctx, question, wanted = made(kind)
    assert (len(ctx.layers), len(ctx.local), len(ctx.recurrent)) == KINDS[kind]
    for method in (squeezed.Full(), squeezed.Oracle(sparsity=0), squeezed.Quest(sparsity=0)):
        got = logits_of(model, ctx, question, method)
        assert (got - wanted).abs().max() <= 1e-4 * max(1, wanted.abs().max())


@every_kind
def test_every_method_reads_less(kind):
    model, ctx, question, _ = made(kind)
    ctx = ctx.calibrate(model, [ids(9, 3)], new_tokens=3)
    for method in (
        squeezed.Squeezed(sparsity=0.8, residual=True),
        squeezed.Oracle(sparsity=0.8),
        squeezed.SnapKV(sparsity=0.8),
        squeezed.H2O(sparsity=0.8),
        squeezed.StreamingLLM(sparsity=0.8),
    ):
        out = squeezed.generate(model, ctx, question, method=method, max_new_tokens=3)
        assert out.stats.kv_budget < 1


@every_kind
def test_a_stored_context_answers_alike(kind, tmp_path):
    model, ctx, question, _ = made(kind)
    method = squeezed.Squeezed(sparsity=0.7)
    wanted = logits_of(model, ctx, question, method)
    for keys_values in (True, False):
        ctx.save(tmp_path / "index", keys_values=keys_values)
        loaded = squeezed.FixedContext.load(tmp_path / "index", model=model)
        assert loaded.recurrent.keys() == ctx.recurrent.keys()
        got = logits_of(model, loaded, question, method)
        assert (got - wanted).abs().max() <= 1e-4 * max(1, wanted.abs().max())


@pytest.mark.parametrize("tokens", [127, 128, 129, 150, 190])
def test_chunks_that_end_before_in_or_after_the_question(tokens):
    model = tiny_model(tiny_config("llama4_text", attention_chunk_size=64))
    plan = Plan(tokens=tokens, questions=(1, 9, 70), new=4, vocabulary=VOCABULARY)
    verdict = check(model, plan)
    assert verdict.outcome == "exact", verdict.line()


def test_a_sink_takes_its_share_and_has_no_value():
    draw = torch.Generator().manual_seed(0)
    query, keys, values = (
        torch.randn(1, heads, n, size, generator=draw, dtype=torch.float64)
        for heads, n, size in ((4, 3, 8), (2, 11, 8), (2, 11, 5))
    )
    sinks = torch.tensor([-3.0, 0.0, 2.0, 50.0], dtype=torch.float64)
    logits = Logits(0.3, None, sinks)
    got = logits.finish(*attend(query, keys, values, None, logits.scale))
    all_logits = 0.3 * query @ keys.repeat_interleave(2, 1).transpose(2, 3)
    with_sink = torch.cat([all_logits, sinks.view(1, -1, 1, 1).expand(1, 4, 3, 1)], dim=-1)
    wanted = with_sink.softmax(-1)[..., :-1] @ values.repeat_interleave(2, 1)
    assert (got - wanted).abs().max() <= 1e-12
    nothing = logits.finish(torch.zeros(1, 4, 3, 5), torch.full((1, 4, 3), -torch.inf))
    assert not nothing.any()


def test_attention_that_keys_received_is_without_the_sinks_share():
    """What the model's own code gives to the keys; some queries give much of theirs to the sink."""
    model, ctx, _, _ = made("gpt_oss")
    matrices = attention_weights(model, ctx.ids)
    full = [each[0] for number, each in enumerate(matrices) if number not in ctx.local]
    for layer, weights in zip(ctx.layers, full, strict=True):
        assert weights.sum(-1).min() < 0.9
        want = weights.unflatten(0, (layer.heads, -1)).mean(1).sum(1)[:, : N - WINDOW]
        found = layer.in_place_order(layer.statistics["received_attention"])
        torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-4)


def test_an_indexer_is_served_while_it_chooses_everything():
    model = tiny_model(tiny_config("deepseek_v32", index_topk=100))
    with pytest.raises(
        UnsupportedModelError, match="chooses 100 keys by an indexer of its own, and 101"
    ):
        squeezed.prepare(model, ids(101, 1), window=WINDOW)
    ctx = squeezed.prepare(model, ids(90, 1), window=WINDOW)
    logits_of(model, ctx, ids(10, 2), squeezed.Full())
    with pytest.raises(UnsupportedModelError, match="serves it up to 100 tokens"):
        logits_of(model, ctx, ids(11, 2), squeezed.Full())


def test_positions_that_begin_behind_the_padding_token():
    model = tiny_model(tiny_config("roberta", pad_token_id=5))
    assert first_position(model.config) == 6
    assert first_position(tiny_config("llama")) == 0
    verdict = check(model, Plan(tokens=60, questions=(4, 9), new=3, vocabulary=VOCABULARY, first=6))
    assert verdict.outcome == "exact", verdict.line()


def test_a_part_that_sees_may_keep_an_attention_of_its_own():
    model = tiny_model(tiny_config("got_ocr2"))
    assert not type(model)._can_set_attn_implementation()
    assert families.language_model(model).config is families.text_config(model)
    verdict = check(model, Plan(tokens=60, questions=(4,), new=3, vocabulary=VOCABULARY))
    assert verdict.outcome == "exact", verdict.line()


@pytest.mark.parametrize(
    ("kind", "rule", "refused"),
    [
        ("gemma4_text", None, False),
        ("gemma4_text", "vision", False),
        ("gemma4_text", "all", True),
        ("gemma3_text", False, False),
        ("gemma3_text", True, True),
    ],
)
def test_a_rule_about_images_does_not_make_text_bidirectional(kind, rule, refused):
    config = tiny_config(kind)
    config.use_bidirectional_attention = rule
    assert any("both directions" in each for each in families.refusals_of_config(config)) is refused


def test_refused_by_the_configuration_alone():
    for kind, reason in (
        ("deepseek_v4", "compressed_sparse_attention"),
        ("t5", "encoder-decoder"),
    ):
        config = tiny_config(kind)
        with pytest.raises(UnsupportedModelError, match=f"{config.model_type} .*{reason}"):
            families.require_supported_config(config)
    families.require_supported_config(tiny_config("llama"))


def test_each_layer_is_read_from_its_own_configuration():
    config = tiny_config("gemma4_text")
    assert [(each.kind, each.window, each.bare) for each in attends(config)] == [
        (SLIDING, 24, False),
        (FULL, None, False),
        (SLIDING, 24, True),
        (FULL, None, True),
    ]
    uneven = tiny_config("llama", num_hidden_layers=3)
    uneven.layer_types = [SLIDING, CHUNKED, FULL]
    uneven.sliding_window = uneven.attention_chunk_size = None
    uneven.per_layer_config = {0: {"sliding_window": 7}, 1: {"attention_chunk_size": 9}}
    assert [each.window for each in attends(uneven)] == [7, 9, None]
    assert [each.chunked for each in attends(uneven)] == [False, True, False]


def test_tags_pass_on_to_what_is_made_of_a_tensor():
    layer = object()
    states = tag(torch.randn(1, 2, 5, 4), layer)
    first, second = torch.split(torch.nn.functional.linear(states, torch.randn(6, 4)), [2, 4], -1)
    room = states.new_empty(1, 2, 5, 3)
    room[..., :2].copy_(plain(first))
    joined = torch.cat([torch.zeros(1, 2, 5, 1), second], dim=-1)
    for each in (first, second, room, joined, states.expand(3, -1, -1, -1), -states, states.mT):
        assert layer_of(each) is layer
        assert isinstance(each, Tagged)
        assert not isinstance(plain(each), Tagged)
    assert layer_of(torch.zeros(1)) is None
    assert states.shape == (1, 2, 5, 4)
    assert plain(states).data_ptr() == states.data_ptr()


def test_keys_that_later_tokens_change_are_refused():
    layer, module = CaptureLayer(total=6, window=2), torch.nn.Module()
    module.num_key_value_groups = 1

    def step(change):
        states = torch.ones(1, 2, 3, 4)
        keys, values = (plain(each) for each in layer.update(states, states))
        layer.attend(module, states, keys + change, values, None, Logits(1.0))

    step(0.0)
    with pytest.raises(UnsupportedModelError, match="not each of one token"):
        step(1.0)


def test_a_layer_of_several_values_a_key_is_refused():
    layer, module = CaptureLayer(total=3, window=2), torch.nn.Module()
    module.num_key_value_groups = 1
    states = torch.ones(1, 2, 3, 4)
    keys, values = (plain(each) for each in layer.update(states, states))
    layer.attend(module, states, keys, values, None, Logits(1.0))
    layer.attend(module, states, keys, values, None, Logits(1.0))  # shared: the very same
    assert len(layer.states().queries) == 4  # of both
    with pytest.raises(UnsupportedModelError, match="several values of one key"):
        layer.attend(module, states, keys, values + 1, None, Logits(1.0))


def test_a_prefill_in_chunks_keeps_what_one_pass_keeps():
    for kind in ("deepseek_v3", "llama4_text", "gemma4_text"):
        model, ctx, _, _ = made(kind)
        one, many = (prefill(model, ctx.ids, WINDOW, chunk=size) for size in (N, 33))
        for a, b in zip(one, many, strict=True):
            assert type(a) is type(b)
            for name, value in vars(a).items() if dataclasses.is_dataclass(a) else ():
                if isinstance(value, torch.Tensor):
                    torch.testing.assert_close(getattr(b, name), value, rtol=1e-3, atol=1e-3)


def test_queries_of_layers_that_share_their_keys_lie_together_by_kv_head(monkeypatch):
    """Each KV head has the query heads of all the layers that attend to its keys."""
    model, ctx, _, _ = made("gemma4_text")
    seen = {}

    def spy(module, query, *args, **kwargs):
        seen[module.layer_idx] = query[0, :, -WINDOW:]
        return forward(module, query, *args, **kwargs)

    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, NAME, spy)
    prefill(model, ctx.ids, WINDOW)
    (layer,) = ctx.layers
    assert layer.heads > 1
    by_head = [seen[number].unflatten(0, (layer.heads, -1)) for number in (1, 3)]
    want = torch.cat(by_head, dim=1).flatten(0, 1)
    torch.testing.assert_close(layer.queries, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(squeezed.METHODS))
def test_every_method_serves_layers_that_share_their_keys(name):
    model, _, question, _ = made("gemma4_text")
    kind = squeezed.METHODS[name]
    ctx = squeezed.prepare(model, ids(N, 1), window=WINDOW, statistics=kind.needs)
    method = kind() if name == "full" else kind(sparsity=0.5)
    out = squeezed.generate(model, ctx, question, method=method, max_new_tokens=3)
    assert out.lengths == (3,)
