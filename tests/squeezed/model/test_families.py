"""Model families: small random models of each, against transformers' own attention on the same tokens."""

import dataclasses
import json
from types import SimpleNamespace

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, T5Config, T5ForConditionalGeneration

import squeezed
from squeezed.cache.local import fixed_mask, own_mask
from squeezed.model import families
from squeezed.model.attention import forward
from squeezed.model.prefill import CaptureLayer, prefill
from squeezed.storage.manifest import CHECKSUM, MANIFEST, manifest_checksum
from tests.squeezed.conftest import VOCAB, random_ids

N, OBSERVED, SLIDING = 170, 20, 24  # fixed tokens, observation window, sliding window
NEW = 3  # tokens to generate
SMALL = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.2,  # sharp attention
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": None,
}
MOE = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2}
FULL, LOCAL = "full_attention", "sliding_attention"


@dataclasses.dataclass(frozen=True)
class Family:
    """A configuration: model type, what differs from ``SMALL``, and numbers of its sliding layers."""

    model_type: str
    local: tuple[int, ...] = ()
    changes: dict = dataclasses.field(default_factory=dict)

    def model(self, **changes):
        torch.manual_seed(0)
        config = AutoConfig.for_model(self.model_type, **{**SMALL, **self.changes, **changes})
        # SDPA cannot cap logits; not every version of transformers knows.
        capped = getattr(config, "attn_logit_softcapping", None) is not None
        return AutoModelForCausalLM.from_config(
            config, dtype=torch.float32, attn_implementation="eager" if capped else None
        ).eval()


def family(model_type: str, *, local: tuple[int, ...] = (), **changes) -> Family:
    return Family(model_type, local, changes)


FAMILIES = {
    "llama": family("llama"),
    "mistral": family("mistral", sliding_window=None),
    "ministral": family(
        "ministral",
        local=(0,),
        head_dim=16,
        sliding_window=SLIDING,
        layer_types=[LOCAL, FULL],
    ),
    "mixtral": family("mixtral", **MOE),
    "qwen2": family("qwen2"),
    "qwen2-sliding": family(
        "qwen2", local=(1,), use_sliding_window=True, sliding_window=SLIDING, max_window_layers=1
    ),
    "qwen3": family("qwen3", head_dim=32),
    "qwen3_moe": family("qwen3_moe", head_dim=16, moe_intermediate_size=32, **MOE),
    "phi3": family("phi3"),
    "phi3-long": family("phi3", sliding_window=2048),  # never left, so not a sliding window
    "gemma2": family(
        "gemma2",
        local=(0, 2),
        head_dim=16,
        sliding_window=SLIDING,
        attn_logit_softcapping=2.0,  # low enough to bite
        query_pre_attn_scalar=40,
        num_hidden_layers=4,
    ),
    "gemma3": family(
        "gemma3_text",
        local=(0, 1, 3),
        head_dim=16,
        sliding_window=SLIDING,
        query_pre_attn_scalar=40,
        num_hidden_layers=4,
        layer_types=[LOCAL, LOCAL, FULL, LOCAL],
    ),
    "olmo2": family("olmo2"),
    "olmo3": family("olmo3", local=(0,), sliding_window=SLIDING, layer_types=[LOCAL, FULL]),
    "cohere2": family("cohere2", local=(1,), sliding_window=SLIDING, layer_types=[FULL, LOCAL]),
    "gpt_neox": family("gpt_neox", rotary_pct=0.25),
    "starcoder2": family("starcoder2", sliding_window=None),
    "granite": family("granite", attention_multiplier=0.1),
    "glm4": family("glm4", head_dim=16),
    "smollm3": family("smollm3", no_rope_layer_interval=2),
    "gpt2": family("gpt2", n_embd=64, n_head=4, n_layer=2, n_positions=1024),
    "opt": family("opt", ffn_dim=96, word_embed_proj_dim=64),
}
SLIDING_FAMILIES = [name for name, each in FAMILIES.items() if each.local]


@dataclasses.dataclass(frozen=True)
class Case:
    """A model with a context prepared, and what transformers' own attention said before the switch.

    Attributes:
        logits: after each of the questions. tokens: generated after the first.
    """

    model: torch.nn.Module
    ctx: squeezed.FixedContext
    questions: tuple[torch.Tensor, ...]
    logits: tuple[torch.Tensor, ...]
    tokens: list[int]
    local: tuple[int, ...]


_cases: dict[str, Case] = {}


def make_case(name: str) -> Case:
    model = FAMILIES[name].model()
    context = random_ids(N, seed=1)
    # Shorter than the sliding window, so that it reaches back into the context, and longer.
    questions = tuple(random_ids(n, seed=n) for n in (9, 33))
    prompts = [torch.cat([context, question])[None] for question in questions]
    with torch.inference_mode():
        logits = tuple(model(prompt).logits[0, N:] for prompt in prompts)
    tokens = new_tokens(model, prompts[0])
    ctx = squeezed.prepare(model, context, window=OBSERVED)
    return Case(model, ctx, questions, logits, tokens, FAMILIES[name].local)


def new_tokens(model, prompt, **settings) -> list[int]:
    """Greedy tokens of transformers' own loop after a prompt ``[1, L]``."""
    ids = model.generate(prompt, max_new_tokens=NEW, do_sample=False, **settings)
    return ids[0, prompt.shape[1] :].tolist()


@pytest.fixture
def case(request) -> Case:
    """The case of a family, made once."""
    if request.param not in _cases:
        _cases[request.param] = make_case(request.param)
    return _cases[request.param]


every_family = pytest.mark.parametrize("case", FAMILIES, indirect=True)
sliding_families = pytest.mark.parametrize("case", SLIDING_FAMILIES, indirect=True)


def logits_of(model, ctx, question, method=squeezed.Full()):  # noqa: B008 - it is frozen
    with torch.inference_mode():
        return model(question[None], past_key_values=ctx.cache(method)).logits[0]


@every_family
def test_nothing_dropped_equals_the_models_own_attention(case):
    short, long = case.questions
    for question, method, want in (
        (short, squeezed.Full(), case.logits[0]),
        (long, squeezed.Full(), case.logits[1]),
        (long, squeezed.Squeezed(sparsity=0), case.logits[1]),
    ):
        got = logits_of(case.model, case.ctx, question, method)
        assert (got - want).abs().max() <= 1e-4


@every_family
def test_greedy_tokens_are_the_models_own(case):
    nothing_dropped = squeezed.Squeezed(sparsity=0)
    out = squeezed.generate(
        case.model, case.ctx, case.questions[0], method=nothing_dropped, max_new_tokens=NEW
    )
    assert out.sequences[0].tolist() == case.tokens
    prompt = torch.cat([case.ctx.ids, case.questions[0]])[None]
    cache = case.ctx.cache(squeezed.Full())
    assert new_tokens(case.model, prompt, past_key_values=cache) == case.tokens


@every_family
def test_sparse_attention_reads_less_and_a_batch_equals_one_by_one(case):
    method = squeezed.Squeezed(sparsity=0.8, rule="topk")
    batch = squeezed.generate(
        case.model, case.ctx, case.questions, method=method, max_new_tokens=NEW
    )
    assert 0.1 < batch.stats.kv_budget < 0.5
    for number, question in enumerate(case.questions):
        alone = squeezed.generate(case.model, case.ctx, question, method=method, max_new_tokens=NEW)
        assert batch.sequences[number].tolist() == alone.sequences[0].tolist()
        assert batch.stats.kv_budgets[number] == pytest.approx(alone.stats.kv_budget, abs=1e-5)


@every_family
def test_only_full_layers_have_an_index(case):
    layers = families.layer_count(case.model)
    assert tuple(case.ctx.local) == case.local
    assert len(case.ctx.layers) == layers - len(case.local)
    cache = case.ctx.cache(squeezed.Full())
    assert [n for n, slides in enumerate(cache.is_sliding) if slides] == list(case.local)
    assert len(cache.reads) == len(case.ctx.layers)
    for layer in case.ctx.local.values():
        assert layer.keys.shape == layer.values.shape
        assert layer.keys.shape[1] == SLIDING - 1


@every_family
def test_saved_and_loaded_context_answers_alike(case, tmp_path):
    # One of the two ways for each family; sliding ones have both.
    for keys_values in (True, False) if case.local else (True,):
        case.ctx.save(tmp_path / "index", keys_values=keys_values)
        loaded = squeezed.FixedContext.load(tmp_path / "index", model=case.model)
        assert tuple(loaded.local) == case.local
        method = squeezed.Squeezed(sparsity=0.8)
        want = logits_of(case.model, case.ctx, case.questions[0], method)
        got = logits_of(case.model, loaded, case.questions[0], method)
        assert (got - want).abs().max() <= 1e-5


@every_family
def test_other_caches_keep_the_models_own_attention(case):
    prompt = torch.cat([case.ctx.ids, case.questions[0]])[None]
    assert case.model.config._attn_implementation == "squeezed"
    with torch.inference_mode():
        got = case.model(prompt).logits[0, N:]
    assert (got - case.logits[0]).abs().max() <= 1e-4


@sliding_families
def test_generation_with_other_caches_is_the_models_own(case):
    prompt = torch.cat([case.ctx.ids, case.questions[0]])[None]
    assert new_tokens(case.model, prompt) == case.tokens


@sliding_families
def test_sliding_layers_keep_the_end_of_the_context_however_it_is_prefilled(case):
    for states in (
        prefill(case.model, case.ctx.ids, OBSERVED),
        prefill(case.model, case.ctx.ids, OBSERVED, chunk=17),
    ):
        for number, stored in case.ctx.local.items():
            for field in ("keys", "values"):
                torch.testing.assert_close(
                    getattr(states[number], field), getattr(stored, field), rtol=1e-3, atol=1e-4
                )


@sliding_families
def test_a_cache_on_a_sliding_model_switched_back_fails_loudly(case):
    before = case.model.config._attn_implementation
    case.model.set_attn_implementation("eager")
    try:
        with pytest.raises(squeezed.UnsupportedModelError, match="set_attn_implementation"):
            logits_of(case.model, case.ctx, case.questions[0])
    finally:
        case.model.set_attn_implementation(before)


def test_the_capped_logits_of_gemma2_matter():
    ids = random_ids(60, seed=1)[None]
    capped, free = FAMILIES["gemma2"].model(), FAMILIES["gemma2"].model(attn_logit_softcapping=None)
    with torch.inference_mode():
        assert (capped(ids).logits - free(ids).logits).abs().max() > 1e-2


def test_an_index_of_another_sliding_window_is_refused(tmp_path):
    model = FAMILIES["gemma3"].model()
    squeezed.prepare(model, random_ids(80, seed=1), window=OBSERVED).save(tmp_path / "index")
    other = FAMILIES["gemma3"].model(sliding_window=SLIDING + 8)
    with pytest.raises(squeezed.IndexMismatchError, match="other weights, settings or dtype"):
        squeezed.FixedContext.load(tmp_path / "index", model=other)


def test_layers_that_are_not_the_models_are_refused(tmp_path):
    """Signed anew, as if they were of this very model."""
    model = FAMILIES["gemma3"].model()
    folder = squeezed.prepare(model, random_ids(80, seed=1), window=OBSERVED).save(
        tmp_path / "index"
    )
    manifest = json.loads((folder / MANIFEST).read_text())
    for layer in manifest["local"]:
        layer["sliding_window"] += 8
    manifest[CHECKSUM] = manifest_checksum(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(squeezed.IndexMismatchError, match="sliding window"):
        squeezed.FixedContext.load(folder, model=model)


def test_a_context_shorter_than_the_sliding_window():
    model = FAMILIES["gemma2"].model(sliding_window=64)
    context, question = random_ids(40, seed=1), random_ids(50, seed=2)
    with torch.inference_mode():
        want = model(torch.cat([context, question])[None]).logits[0, 40:]
    ctx = squeezed.prepare(model, context, window=OBSERVED)
    assert {layer.keys.shape[1] for layer in ctx.local.values()} == {40}
    assert (logits_of(model, ctx, question) - want).abs().max() <= 1e-4


def test_a_window_as_long_as_the_model_is_full_attention_until_it_is_left():
    model = FAMILIES["mistral"].model(max_position_embeddings=128, sliding_window=128)
    assert families.sliding_windows(model) == (None, None)
    ctx = squeezed.prepare(model, random_ids(100, seed=1), window=OBSERVED)
    logits_of(model, ctx, random_ids(28, seed=2))
    with pytest.raises(squeezed.UnsupportedModelError, match="129 tokens do not fit"):
        logits_of(model, ctx, random_ids(29, seed=2))


# What cannot be right: the family, and a part of the reason that is given.
REFUSED = {
    "mistral": (family("mistral", sliding_window=SLIDING), "sliding window of 24 tokens in every"),
    "phi3": (family("phi3", sliding_window=SLIDING), "nothing to index"),
    "qwen3_next": (family("qwen3_next", head_dim=16), "no layer with attention"),
    "mamba": (family("mamba"), "no layer with attention"),
    "falcon": (family("falcon", alibi=True), "ALiBi"),
    "bloom": (family("bloom"), "bloom biases attention by distance"),
    "reformer": (
        family("reformer", is_decoder=True, axial_pos_embds=False),
        "keeps no keys and values in a cache",
    ),
    "bert": (family("bert", is_decoder=False), "both directions"),
    "diffllama": (family("diffllama"), "attends to several values of one key"),
    "doge": (family("doge"), "mask of torch.float32"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_family_that_cannot_be_right_is_refused_with_the_reason(name):
    refused, reason = REFUSED[name]
    with pytest.raises(squeezed.UnsupportedModelError, match=reason):
        squeezed.prepare(refused.model(), random_ids(120, seed=1), window=OBSERVED)


def test_an_encoder_decoder_is_refused():
    config = T5Config(vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    with pytest.raises(squeezed.UnsupportedModelError, match="encoder-decoder"):
        squeezed.prepare(T5ForConditionalGeneration(config), random_ids(120, seed=1))


def test_a_model_without_positions_answers_inputs_of_one_length_only():
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "decoder_layers": 2}
    model = family("plbart", **heads).model()
    ctx = squeezed.prepare(model, random_ids(60, seed=1), window=OBSERVED)
    settings = {"method": squeezed.Full(), "max_new_tokens": NEW}
    one, other = random_ids(5, seed=2), random_ids(5, seed=3)
    both = squeezed.generate(model, ctx, [one, other], **settings)
    alone = squeezed.generate(model, ctx, other, **settings)
    assert both.sequences[1].tolist() == alone.sequences[0].tolist()
    with pytest.raises(squeezed.UnsupportedModelError, match="plbart takes no position_ids"):
        squeezed.generate(model, ctx, [one, other[:3]], **settings)


def test_other_kinds_of_layers_are_refused_by_name():
    model = FAMILIES["llama"].model()
    model.config.layer_types = [FULL, "strange_attention"]
    assert "llama" in str(refusal(model))
    assert "strange_attention" in str(refusal(model))


def refusal(model) -> squeezed.UnsupportedModelError:
    with pytest.raises(squeezed.UnsupportedModelError) as caught:
        families.require_supported(model)
    return caught.value


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"position_bias": torch.ones(1)}, "position_bias"),
        ({"is_causal": False}, "both directions"),
        ({"sliding_window": 2}, "sliding window of 2 tokens"),
    ],
)
def test_scores_that_a_model_changes_are_refused_where_they_arrive(extra, reason):
    layer = CaptureLayer(total=3, window=1)
    states = torch.zeros(1, 2, 3, 16)
    keys, values = layer.update(states, states)
    module, query = torch.nn.Module(), torch.zeros(1, 4, 3, 16)
    with pytest.raises(squeezed.UnsupportedModelError, match=reason):
        forward(module, query, keys, values, None, **extra)
    with pytest.raises(squeezed.UnsupportedModelError, match="do not come from its cache"):
        forward(module, query, keys, states, None)


@pytest.mark.parametrize("window", [2, 5, 9, 40])
@pytest.mark.parametrize("given", [False, True])
def test_the_masks_of_a_sliding_layer_count_positions(window, given):
    fixed_tokens, length = 20, 4
    real = torch.tensor([[1] * 7, [0, 0, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1, 1]]).bool()
    if not given:
        real = real[:1]
    own_tokens = real.shape[1]
    own_places = fixed_tokens + real.cumsum(1) - 1
    causal = torch.ones(own_tokens, own_tokens).tril().bool()
    mask = (causal & real[:, None])[:, None, -length:] if given else None
    fixed = min(window - 1, fixed_tokens)
    own = own_mask(mask, length, own_tokens, window, torch.device("cpu"))
    seen = torch.cat([fixed_mask(own, fixed, window), own], dim=3)
    for member in range(len(real)):
        # Places of the keys that the layer attends to, and which of them are there at all.
        kept = own.shape[3]
        places = torch.cat([torch.arange(20 - fixed, 20), own_places[member, -kept:]])
        there = torch.cat([torch.ones(fixed).bool(), real[member, -kept:]])
        for query in range(own_tokens - length, own_tokens):
            if real[member, query]:
                distance = own_places[member, query] - places
                want = there & (distance >= 0) & (distance < window)
                assert seen[member, 0, query - own_tokens].tolist() == want.tolist()


def test_each_layer_has_a_device_of_its_own():
    model = FAMILIES["gpt2"].model(
        num_hidden_layers=3, n_layer=3
    )  # its list of layers is not called layers
    assert families.layer_devices(model) == [torch.device("cpu")] * 3
    model.transformer.h[1].to("meta")
    # device_map="auto" puts a hook on layers; offloaded ones have their weights elsewhere until they run.
    model.transformer.h[2].to("meta")._hf_hook = SimpleNamespace(execution_device="cuda:0")
    assert families.layer_devices(model) == [
        torch.device("cpu"),
        torch.device("meta"),
        torch.device("cuda", 0),
    ]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
@pytest.mark.parametrize("name", ["llama", "gemma2"])
def test_a_model_spread_over_two_devices(name, tmp_path):
    def here(module, args, kwargs):
        return move(args, module.place), {k: move(v, module.place) for k, v in kwargs.items()}

    def move(value, device):
        if isinstance(value, torch.Tensor):
            return value.to(device)
        return type(value)(move(v, device) for v in value) if isinstance(value, tuple) else value

    case, model = make_case(name), FAMILIES[name].model()
    for number, layer in enumerate(model.model.layers):
        layer.place = torch.device("cuda" if number % 2 else "cpu")
        layer.to(layer.place).register_forward_pre_hook(here, with_kwargs=True)
    model.model.norm.place = torch.device("cpu")
    model.model.norm.register_forward_pre_hook(here, with_kwargs=True)
    ctx = squeezed.prepare(model, case.ctx.ids, window=OBSERVED)
    ctx.save(tmp_path / "index")
    for each in (ctx, squeezed.FixedContext.load(tmp_path / "index", model=model)):
        places = [layer.place for layer in model.model.layers]
        stored = [each.local.get(n) for n in range(len(places))]
        rest = iter(each.layers)
        for place, local in zip(places, stored, strict=True):
            assert (local or next(rest)).keys.device.type == place.type
        got = logits_of(model, each, case.questions[0])
        assert (got - case.logits[0]).abs().max() <= 1e-3
        out = squeezed.generate(
            model, each, case.questions, method=squeezed.Squeezed(sparsity=0), max_new_tokens=NEW
        )
        assert out.sequences[0].tolist() == case.tokens


class Wrapper(torch.nn.Module):
    """Around a model, as those of PEFT: ``forward`` tells nothing, other attributes are the model's."""

    def __init__(self, model):
        super().__init__()
        self.inside = model

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inside"), name)

    def forward(self, *args, **kwargs):
        return self.inside(*args, **kwargs)


def test_what_wraps_a_model_is_judged_by_the_model():
    model = FAMILIES["llama"].model()
    families.require_supported(Wrapper(model))
    assert families.language_model(Wrapper(model)) is model
    assert families.calls_interface(Wrapper(model))
