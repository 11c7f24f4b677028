"""Models with recurrent layers: small random ones of each family, against the model's own passes."""

import dataclasses
import functools
import json

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

import squeezed
from squeezed.diagnostics.inspection import inspect, to_text
from squeezed.model import families, recurrent
from squeezed.model.layers import attends
from squeezed.model.prefill import prefill
from squeezed.storage.manifest import CHECKSUM, MANIFEST, manifest_checksum
from tests.squeezed.conftest import VOCAB, random_ids

N, OBSERVED, CHUNK, SLIDING, NEW = 121, 20, 40, 24, 4  # three chunks and one token
TOLERANCE = 2e-4
LINEAR, FULL = "linear_attention", "full_attention"
SMALL = {
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "initializer_range": 0.2,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": None,
}
MOE = {
    **{"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2},
    "moe_intermediate_size": 32,
}
DELTA = {
    "layer_types": [LINEAR, FULL, LINEAR],
    "head_dim": 16,
    **{"linear_num_key_heads": 2, "linear_num_value_heads": 4},
    **{"linear_key_head_dim": 16, "linear_value_head_dim": 16},
}
MAMBA2 = {
    **{"mamba_n_heads": 4, "mamba_d_head": 32, "mamba_d_state": 16, "mamba_n_groups": 1},
    "mamba_chunk_size": 16,
}
CONV = {"layer_types": ["conv", FULL, "conv"]}
FAMILIES = {
    "qwen3_next": {**DELTA, **MOE, "shared_expert_intermediate_size": 32},
    "qwen3_5_text": DELTA,
    "qwen3_5_moe_text": {**DELTA, **MOE, "shared_expert_intermediate_size": 32},
    "olmo_hybrid": DELTA,
    "lfm2": CONV,
    "lfm2_moe": {**CONV, **MOE, "num_dense_layers": 1},
    "lfm3": {"layer_types": ["conv", "sliding_attention", FULL], "sliding_window": SLIDING},
    "bamba": {**MAMBA2, "attn_layer_indices": [1]},
    "granitemoehybrid": {
        **{**MAMBA2, **MOE},
        "layer_types": ["mamba", "attention", "mamba"],
        "shared_intermediate_size": 32,
    },
    "nemotron_h": {
        "layers_block_type": ["mamba", "moe", "attention", "mlp"],
        **{"mamba_num_heads": 4, "mamba_head_dim": 32, "ssm_state_size": 16, "n_groups": 1},
        **{"chunk_size": 16, "head_dim": 16, "n_routed_experts": 4},
        **{"moe_intermediate_size": 32, "moe_shared_expert_intermediate_size": 32},
    },
    "falcon_h1": {**MAMBA2, "mamba_d_ssm": 128, "head_dim": 16, "num_hidden_layers": 2},
    "zamba2": {
        "layers_block_type": [LINEAR, "hybrid", LINEAR],
        **{"mamba_d_state": 16, "n_mamba_heads": 4, "mamba_headdim": 32, "mamba_ngroups": 1},
        **{"chunk_size": 16, "num_mem_blocks": 1, "use_mem_rope": True, "adapter_rank": 4},
    },
    "zaya": {
        **{**MOE, "num_experts_per_tok": 1, "head_dim": 16, "sliding_window": SLIDING},
        "layer_types": ["hybrid", "hybrid_sliding", "hybrid"],
    },
    "jamba": {
        **{"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 8},
        **{**MOE, "mamba_dt_rank": 4, "use_mamba_kernels": False},
    },
    "zamba": {
        "layers_block_type": [LINEAR, "hybrid", LINEAR, "hybrid"],
        "num_hidden_layers": 4,
        **{"mamba_d_state": 8, "mamba_dt_rank": 4, "n_mamba_heads": 2},
    },
}
RESTARTING = ("jamba", "zamba")
AT_ONCE = tuple(name for name in FAMILIES if name not in RESTARTING)
SOME = ("qwen3_next", "lfm3", "falcon_h1", "zaya", "jamba")  # of each kind of layer


def build(name: str, **changes):
    torch.manual_seed(0)
    settings = {**SMALL, **FAMILIES.get(name, {}), **changes}
    config = AutoConfig.for_model(name, **settings)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    for weight_name, weight in model.named_parameters():
        if weight_name.endswith("temp"):  # of ZAYA's keys, which would all be zero
            torch.nn.init.ones_(weight)
    return model


@dataclasses.dataclass(frozen=True)
class Case:
    """A model with a context prepared in chunks, and what the model itself said before.

    Attributes:
        logits: after the first question, in a single pass with the context. tokens: generated after it.
    """

    name: str
    model: torch.nn.Module
    ctx: squeezed.FixedContext
    questions: tuple[torch.Tensor, ...]
    logits: torch.Tensor
    tokens: list[int]

    @property
    def prompt(self) -> torch.Tensor:
        return torch.cat([self.ctx.ids, self.questions[0]])[None]


@functools.cache
def case_of(name: str) -> Case:
    model = build(name)
    context = random_ids(N, seed=1)
    questions = tuple(random_ids(n, seed=n) for n in (9, 14, 9))
    prompt = torch.cat([context, questions[0]])[None]
    with torch.inference_mode():
        logits = model(prompt).logits[0, N:]
    tokens = own_tokens(model, prompt)
    ctx = squeezed.prepare(
        model, context, window=OBSERVED, statistics=("received_attention",), chunk=CHUNK
    )
    return Case(name, model, ctx, questions, logits, tokens)


def own_tokens(model, prompt, **settings) -> list[int]:
    """Greedy tokens of transformers' own loop after a prompt ``[1, L]``."""
    ids = model.generate(prompt, max_new_tokens=NEW, do_sample=False, **settings)
    return ids[0, prompt.shape[1] :].tolist()


@pytest.fixture
def case(request) -> Case:
    return case_of(request.param)


every = pytest.mark.parametrize("case", FAMILIES, indirect=True)
at_once = pytest.mark.parametrize("case", AT_ONCE, indirect=True)
some = pytest.mark.parametrize("case", SOME, indirect=True)


def step_by_step(model, ids, cache, start) -> torch.Tensor:
    """Logits ``[L, vocabulary]`` of tokens given one by one."""
    with torch.inference_mode():
        found = [
            model(ids[None, n : n + 1], past_key_values=cache, position_ids=places(start + n, 1))
            for n in range(len(ids))
        ]
    return torch.cat([each.logits[0] for each in found])


def states_of(ctx) -> list[torch.Tensor]:
    parts = (part for each in ctx.recurrent.values() for part in (each.conv, each.recurrent))
    return [state for part in parts for state in part.values()]


def places(start: int, count: int, batch: int = 1) -> torch.Tensor:
    return torch.arange(start, start + count).expand(batch, -1)


@at_once
def test_nothing_dropped_equals_the_models_single_pass(case):
    for method in (squeezed.Full(), squeezed.Squeezed(sparsity=0)):
        with torch.inference_mode():
            got = case.model(case.questions[0][None], past_key_values=case.ctx.cache(method)).logits
        assert (got[0] - case.logits).abs().max() <= TOLERANCE


@every
def test_token_by_token_equals_the_models_own_steps(case):
    """Its own steps, not its single pass: some compute a single token by other code, with another outcome."""
    own = DynamicCache(config=case.model.config)
    question = case.questions[0]
    with torch.inference_mode():
        case.model(case.ctx.ids[None], past_key_values=own)
    want = step_by_step(case.model, question, own, N)
    got = step_by_step(case.model, question, case.ctx.cache(squeezed.Full()), N)
    assert (got - want).abs().max() <= TOLERANCE
    if case.name not in ("nemotron_h", "zamba2"):  # they bound the time step in longer passes only
        assert (got - case.logits).abs().max() <= TOLERANCE


@every
def test_greedy_tokens_are_the_models_own(case):
    out = squeezed.generate(
        case.model, case.ctx, case.questions[0], method=squeezed.Full(), max_new_tokens=NEW
    )
    assert out.sequences[0].tolist() == case.tokens
    if case.name in AT_ONCE:
        cache = case.ctx.cache(squeezed.Full())
        assert own_tokens(case.model, case.prompt, past_key_values=cache) == case.tokens


@every
def test_states_are_the_same_however_the_context_is_prefilled(case):
    states = prefill(case.model, case.ctx.ids, OBSERVED, chunk=N)
    for number, want in case.ctx.recurrent.items():
        found = getattr(states[number], "state", states[number])
        assert (found.conv.keys(), found.recurrent.keys()) == (
            want.conv.keys(),
            want.recurrent.keys(),
        )
        for part in ("conv", "recurrent"):
            for i, state in getattr(want, part).items():
                torch.testing.assert_close(getattr(found, part)[i], state, rtol=1e-3, atol=1e-4)


@every
def test_a_batch_of_any_lengths_equals_one_by_one(case):
    settings = {
        "method": squeezed.Squeezed(sparsity=0.6, rule="topk"),
        "max_new_tokens": NEW,
    }
    batch = squeezed.generate(case.model, case.ctx, case.questions, **settings)
    alone = [squeezed.generate(case.model, case.ctx, each, **settings) for each in case.questions]
    assert batch.sequences.tolist() == [each.sequences[0].tolist() for each in alone]
    assert batch.lengths == (NEW,) * 3
    budgets = [each.stats.kv_budget for each in alone]
    assert batch.stats.kv_budgets == pytest.approx(budgets, abs=1e-5)
    assert batch.stats.kv_budget == pytest.approx(sum(budgets) / 3, abs=1e-5)
    assert batch.stats.budget_per_layer == pytest.approx(
        torch.tensor([each.stats.budget_per_layer for each in alone]).mean(0).tolist(), abs=1e-5
    )
    assert batch.stats.budget_per_head[0] == pytest.approx(
        torch.tensor([each.stats.budget_per_head[0] for each in alone]).mean(0).tolist(), abs=1e-5
    )
    assert 0 < batch.stats.kv_budget < 0.8
    assert batch.stats.prefill_ms > 0
    assert batch.stats.decode_ms_per_token > 0


@every
def test_saved_and_loaded_context_has_the_same_states(case, tmp_path):
    for keys_values in (True, False) if case.name in SOME else (True,):
        folder = case.ctx.save(tmp_path / "index", keys_values=keys_values)
        loaded = squeezed.FixedContext.load(folder, model=case.model)
        report = inspect(folder)
        assert report["bytes"]["states"] == (case.ctx.state_bytes if keys_values else 0)
        assert ("recurrent states" in to_text(report)) is keys_values
        assert loaded.recurrent.keys() == case.ctx.recurrent.keys()
        assert loaded.state_bytes == case.ctx.state_bytes > 0
        for number, want in case.ctx.recurrent.items():
            got = loaded.recurrent[number]
            assert (got.attends, got.restarts) == (want.attends, want.restarts)
        pairs = zip(states_of(loaded), states_of(case.ctx), strict=True)
        assert not keys_values or all(torch.equal(*each) for each in pairs)
        question = case.questions[0]
        got = step_by_step(case.model, question, loaded.cache(squeezed.Full()), N)
        want = step_by_step(case.model, question, case.ctx.cache(squeezed.Full()), N)
        assert (got - want).abs().max() <= (0 if keys_values else TOLERANCE)


@some
def test_two_conversations_do_not_see_each_others_state(case):
    before = [state.clone() for state in states_of(case.ctx)]
    first, second = (random_ids(6, seed=n) for n in (5, 6))
    alone = step_by_step(case.model, first, case.ctx.cache(squeezed.Full()), N)
    one, other = (case.ctx.cache(squeezed.Full()) for _ in range(2))
    got = []
    for n in range(6):
        got.append(step_by_step(case.model, first[n : n + 1], one, N + n))
        step_by_step(case.model, second[n : n + 1], other, N + n)
    assert torch.equal(torch.cat(got), alone)
    assert all(torch.equal(*each) for each in zip(before, states_of(case.ctx), strict=True))


@pytest.mark.parametrize("case", ["qwen3_next", "falcon_h1", "jamba"], indirect=True)
@pytest.mark.parametrize(
    "method",
    [
        squeezed.H2O(sparsity=0.5),
        squeezed.SnapKV(sparsity=0.5),
        squeezed.Quest(sparsity=0.5),
        squeezed.StreamingLLM(sparsity=0.5),
        squeezed.Oracle(sparsity=0.5),
    ],
    ids=lambda method: type(method).__name__,
)
def test_methods_read_less_of_the_layers_that_attend(case, method):
    out = squeezed.generate(case.model, case.ctx, case.questions[0], method=method)
    assert 0.3 < out.stats.kv_budget < 0.95
    assert len(out.stats.budget_per_layer) == len(case.ctx.layers)


@every
def test_recurrent_layers_have_no_index_and_count_on_neither_side(case):
    config = families.text_config(case.model)
    kinds = attends(config)
    indexed = sum(kind.indexed for kind in kinds)
    assert len(case.ctx.layers) == indexed
    assert case.ctx.kv_bytes == sum(2 * layer.keys.nbytes for layer in case.ctx.layers)
    cache = case.ctx.cache(squeezed.Full())
    assert len(cache) == config.num_hidden_layers
    assert len(cache.reads) == indexed
    assert {n for n, linear in enumerate(cache.is_linear) if linear} >= {
        n for n, kind in enumerate(kinds) if kind.stateful and kind.bare
    }


@pytest.mark.parametrize("case", ["qwen3_next", "lfm2", "falcon_h1", "nemotron_h"], indirect=True)
def test_beam_search_is_the_models_own(case):
    want = own_tokens(case.model, case.prompt, num_beams=3)
    cache = case.ctx.cache(squeezed.Full())
    assert own_tokens(case.model, case.prompt, num_beams=3, past_key_values=cache) == want


@pytest.mark.parametrize("case", ["qwen3_next", "zaya"], indirect=True)
def test_plain_transformers_takes_a_batch(case):
    questions = torch.stack([case.questions[0], case.questions[2]])
    prompts = torch.cat([case.ctx.ids.expand(2, -1), questions], dim=1)
    settings = {"max_new_tokens": NEW, "do_sample": False}
    want = case.model.generate(prompts, **settings)
    cache = case.ctx.cache(squeezed.Full())
    assert torch.equal(case.model.generate(prompts, past_key_values=cache, **settings), want)
    with pytest.raises(ValueError, match="keeps its batch"):
        cache.batch_select_indices(torch.tensor([1]))


@some
def test_what_would_change_a_state_is_refused(case):
    cache = case.ctx.cache(squeezed.Full())
    one = case.questions[0][None]
    mask = torch.ones(1, N + 9, dtype=torch.long)
    mask[:, N] = 0
    with torch.inference_mode():
        with pytest.raises(squeezed.UnsupportedModelError, match="padding between the context"):
            case.model(one, attention_mask=mask, past_key_values=cache)
        case.model(one[:, :1], past_key_values=cache)
        with pytest.raises(ValueError, match="holds 1 conversations, but 2"):
            case.model(one[:, :1].expand(2, -1), past_key_values=cache)
        with pytest.raises(squeezed.UnsupportedModelError, match="taken back"):
            cache.crop(-1)
        with pytest.raises(ValueError, match="assisted decoding and prompt lookup are refused"):
            cache.activate_past_recording()
        cache.crop(0)
        cache.reset()
    got = step_by_step(case.model, case.questions[0], cache, N)
    want = step_by_step(case.model, case.questions[0], case.ctx.cache(squeezed.Full()), N)
    assert torch.equal(got, want)


@pytest.mark.parametrize("case", RESTARTING, indirect=True)
def test_a_model_that_forgets_its_state_takes_tokens_one_by_one(case):
    assert all(layer.restarts for layer in case.ctx.recurrent.values())
    with pytest.raises(squeezed.UnsupportedModelError, match="must come one by one"):
        case.model(case.questions[0][None], past_key_values=case.ctx.cache(squeezed.Full()))


@at_once
def test_other_models_keep_it(case):
    assert not any(layer.restarts for layer in case.ctx.recurrent.values())


def test_no_chunk_of_a_single_token():
    assert recurrent.passes(121, 40) == [(0, 40), (40, 80), (80, 119), (119, 121)]
    assert recurrent.passes(121, 40, stateful=False) == [(0, 40), (40, 80), (80, 120), (120, 121)]
    assert recurrent.passes(120, 40) == [(0, 40), (40, 80), (80, 120)]
    assert recurrent.passes(1, 40) == [(0, 1)]


REFUSED = {
    "minimax": (
        {"layer_types": [FULL, LINEAR, FULL], "head_dim": 16, "block_size": 16, **MOE},
        "a cache of a class of its own .MiniMaxCache.",
    ),
    "recurrent_gemma": ({"attention_window_size": SLIDING}, "sliding window of 24 tokens in every"),
    "mamba2": ({"num_heads": 4, "head_dim": 32, "n_groups": 1}, "no layer with attention"),
    "rwkv": ({"attention_hidden_size": 64}, "outside transformers' cache layers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_family_that_cannot_be_right_is_refused_with_the_reason(name):
    changes, reason = REFUSED[name]
    with pytest.raises(squeezed.UnsupportedModelError, match=reason):
        squeezed.prepare(build(name, **changes), random_ids(120, seed=1), window=OBSERVED)


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"attends": True}, squeezed.IndexMismatchError, "holds 2 layers"),
        ({"number": 1}, squeezed.IndexCorruptError, "recurrent"),
        ({"restarts": 1}, squeezed.IndexCorruptError, "flags"),
        ({"states": []}, squeezed.IndexCorruptError, "recurrent"),
        ({"conv": [1000]}, squeezed.IndexCorruptError, "small number"),
    ],
)
def test_states_that_do_not_fit_the_model_are_refused(tmp_path, change, error, reason):
    """Signed anew, as if they were of this very model."""
    case = case_of("qwen3_next")
    folder = case.ctx.save(tmp_path / "index")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["recurrent"][0] |= change
    manifest[CHECKSUM] = manifest_checksum(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(error, match=reason):
        squeezed.FixedContext.load(folder, model=case.model)
