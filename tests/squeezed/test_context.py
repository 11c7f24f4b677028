"""Fixed contexts: storage order, permutations, damage, mismatch, bad input."""

import dataclasses
import errno
import itertools
import json

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, MistralConfig, MistralForCausalLM

import squeezed
from squeezed import attention, storage
from squeezed.calibration import QuantileCurve
from squeezed.index import Level
from squeezed.prefill import prefill
from tests.squeezed.conftest import random_ids, tiny_llama

QUESTION = random_ids(14, seed=21)


def logits(model, ctx, method):
    with torch.inference_mode():
        return model(QUESTION[None], past_key_values=ctx.cache(method)).logits[0]


def test_rows_are_the_prefilled_keys_in_cluster_order(model, ctx):
    states = prefill(model, ctx.ids, 100)
    for layer, state in zip(ctx.layers, states, strict=True):
        for head in range(2):
            order = torch.cat([layer.positions[head].long(), torch.arange(513, 613)])
            torch.testing.assert_close(layer.keys[head], state.keys[head, order])
            torch.testing.assert_close(layer.values[head], state.values[head, order])


def test_centroids_are_means_of_the_keys_in_their_range(ctx):
    for layer in ctx.layers:
        level = layer.levels[-1]
        assert level.offsets.dtype == torch.int32
        assert level.offsets[:, 0].tolist() == [0, 0]
        assert level.offsets[:, -1].tolist() == [513, 513]
        for head in range(2):
            bounds = level.offsets[head].tolist()
            for i, (start, end) in enumerate(itertools.pairwise(bounds)):
                if end > start:
                    mean = layer.keys[head, start:end].mean(0)
                    torch.testing.assert_close(level.centroids[head, i], mean, rtol=1e-4, atol=1e-5)


def permuted(ctx, seed):
    """The same context with clusters in another order, and keys in another order inside each."""
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for layer in ctx.layers:
        level = layer.levels[0]
        rows, offsets, order = [], [], torch.randperm(level.counts.shape[1], generator=generator)
        for head in range(layer.heads):
            parts = [torch.arange(*level.offsets[head, i : i + 2].tolist()) for i in order]
            parts = [part[torch.randperm(len(part), generator=generator)] for part in parts]
            rows.append(torch.cat(parts))
            offsets.append(torch.tensor([0] + [len(part) for part in parts]).cumsum(0).int())
        index = torch.stack(rows)
        window = torch.arange(layer.clustered, layer.tokens).expand(layer.heads, -1)
        spread = torch.cat([index, window], dim=1).unsqueeze(-1).expand_as(layer.keys)
        layers.append(
            dataclasses.replace(
                layer,
                keys=layer.keys.gather(1, spread),
                values=layer.values.gather(1, spread),
                positions=layer.positions.gather(1, index),
                levels=(Level(level.centroids[:, order], torch.stack(offsets)),),
            )
        )
    return dataclasses.replace(ctx, layers=tuple(layers))


@pytest.mark.parametrize(
    "method",
    [
        squeezed.Full(),
        squeezed.Squeezed(sparsity=0.7),
        squeezed.Squeezed(sparsity=0.7, rule="topk"),
        squeezed.Oracle(sparsity=0.7),
        squeezed.StreamingLLM(sparsity=0.7),
    ],
    ids=str,
)
def test_permuting_the_fixed_keys_changes_nothing(model, ctx, method):
    want = logits(model, ctx, method)
    for seed in range(3):
        torch.testing.assert_close(
            logits(model, permuted(ctx, seed), method), want, rtol=1e-4, atol=1e-4
        )


def test_same_seed_same_index(model, ctx):
    again = squeezed.prepare(model, ctx.ids.tolist())
    for a, b in zip(ctx.layers, again.layers, strict=True):
        assert torch.equal(a.positions, b.positions)
        assert torch.equal(a.levels[0].centroids, b.levels[0].centroids)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_saved_and_loaded_context_answers_alike(tmp_path, dtype):
    model = tiny_llama(dtype=dtype)
    ctx = squeezed.prepare(model, random_ids(300, seed=2))
    ctx.save(tmp_path / "a" / "index")
    loaded = squeezed.FixedContext.load(tmp_path / "a" / "index", model=model)
    assert loaded.settings == ctx.settings
    for method in (squeezed.Full(), squeezed.Squeezed()):
        assert torch.equal(logits(model, loaded, method), logits(model, ctx, method))
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["index"]


def test_saving_again_replaces(tmp_path, model, ctx):
    other = squeezed.prepare(model, random_ids(200, seed=3))
    ctx.save(tmp_path / "index")
    other.save(tmp_path / "index")
    assert squeezed.FixedContext.load(tmp_path / "index", model=model).tokens == 200
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


@pytest.mark.parametrize("place", [100, -100])
def test_a_flipped_bit_is_refused(tmp_path, model, ctx, place):
    path = ctx.save(tmp_path / "index") / storage.TENSORS
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(squeezed.IndexCorruptError, match="checksum"):
        squeezed.FixedContext.load(tmp_path / "index", model=model)


def test_truncated_and_missing_files_are_refused(tmp_path, model, ctx):
    folder = ctx.save(tmp_path / "index")
    data = (folder / storage.TENSORS).read_bytes()
    (folder / storage.TENSORS).write_bytes(data[:-1000])
    with pytest.raises(squeezed.IndexCorruptError):
        squeezed.FixedContext.load(folder, model=model)
    (folder / storage.TENSORS).unlink()
    with pytest.raises(squeezed.IndexCorruptError):
        squeezed.FixedContext.load(folder, model=model)
    (folder / storage.MANIFEST).write_text("{")
    with pytest.raises(squeezed.IndexCorruptError, match=r"manifest\.json"):
        squeezed.FixedContext.load(folder, model=model)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        squeezed.FixedContext.load(tmp_path / "nothing", model=model)


def test_another_model_is_refused(tmp_path, model, ctx):
    folder = ctx.save(tmp_path / "index")
    for other in (tiny_llama(seed=1), tiny_llama(dtype=torch.bfloat16)):
        with pytest.raises(squeezed.IndexMismatchError, match="model is"):
            squeezed.FixedContext.load(folder, model=other)
        with pytest.raises(squeezed.IndexMismatchError, match="another model"):
            squeezed.generate(other, ctx, QUESTION, method=squeezed.Full())


def test_another_format_version_is_refused(tmp_path, model, ctx):
    path = ctx.save(tmp_path / "index") / storage.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    with pytest.raises(squeezed.IndexMismatchError, match="format_version is 99"):
        squeezed.FixedContext.load(tmp_path / "index", model=model)


def test_a_full_disk_leaves_the_old_index(tmp_path, model, ctx, monkeypatch):
    folder = ctx.save(tmp_path / "index")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        squeezed.prepare(model, random_ids(200, seed=3)).save(folder)
    monkeypatch.undo()
    assert squeezed.FixedContext.load(folder, model=model).tokens == ctx.tokens
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


def test_thresholds_that_are_not_finite_are_never_saved(tmp_path, ctx):
    broken = dataclasses.replace(ctx, curve=QuantileCurve(torch.tensor([0.0, float("nan")])))
    with pytest.raises(squeezed.IndexCorruptError, match="not finite"):
        broken.save(tmp_path / "index")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [20.0, 60.0])
def test_huge_logits_give_finite_thresholds_and_the_right_keys(scale):
    model = tiny_llama()
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.q_proj.weight *= scale
    ctx = squeezed.prepare(model, random_ids(400, seed=1))
    queries = prefill(model, ctx.ids, 100)[0].queries
    assert (
        queries[:, None] @ ctx.layers[0].keys.repeat_interleave(2, 0).transpose(1, 2)[:, None]
    ).abs().max() > 150
    assert bool(ctx.curve.log_scores.isfinite().all())
    want = logits(model, ctx, squeezed.Full())
    # Attention this sharp rests on single keys: the few best carry all of it.
    torch.testing.assert_close(
        logits(model, ctx, squeezed.Oracle(sparsity=0.5)), want, rtol=1e-3, atol=1e-3
    )


def test_index_is_small_beside_the_cache():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50,
        hidden_size=128,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
    )
    model = LlamaForCausalLM(config).bfloat16().eval()
    ctx = squeezed.prepare(model, torch.randint(0, 50, (4196,)))
    # Head size 128 as in large models; positions and the curve of a single layer included.
    assert ctx.index_bytes <= 0.05 * ctx.kv_bytes


@pytest.mark.parametrize(
    ("ids", "settings", "message"),
    [
        (range(100), {}, "100 tokens, not more than the observation window of 100"),
        (range(20), {"window": 50}, "20 tokens"),
        (range(20), {"window": 0}, "window is 0"),
        ([[1, 2], [3, 4]], {}, "one context"),
        (range(200), {"levels": ()}, "levels is"),
        (range(200), {"levels": (1.5,)}, "levels is"),
        (range(200), {"levels": (0.05, 0.01)}, "coarse to fine"),
    ],
)
def test_bad_input_is_named(model, ids, settings, message):
    with pytest.raises(ValueError, match=message):
        squeezed.prepare(model, torch.tensor(list(ids)), **settings)


@pytest.mark.parametrize("question", [[], [[1], [2]]])
def test_bad_questions_are_named(model, ctx, question):
    with pytest.raises(ValueError, match="question_ids has shape"):
        squeezed.generate(model, ctx, question, method=squeezed.Full())


def test_no_new_tokens_is_an_error(model, ctx):
    with pytest.raises(ValueError, match="max_new_tokens is 0"):
        squeezed.generate(model, ctx, QUESTION, method=squeezed.Full(), max_new_tokens=0)


def test_attention_the_engine_cannot_reproduce_is_refused():
    small = {
        "vocab_size": 50,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 16,
    }
    for model, reason in (
        (Gemma2ForCausalLM(Gemma2Config(**small)), "sliding_attention"),
        (MistralForCausalLM(MistralConfig(**small, sliding_window=64)), "sliding"),
    ):
        with pytest.raises(squeezed.UnsupportedModelError, match=reason):
            squeezed.prepare(model, torch.arange(200) % 50)


def test_mistral_without_a_sliding_window_works():
    config = MistralConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=None,
    )
    model = MistralForCausalLM(config).eval()
    ids = torch.cat([random_ids(250, seed=1), QUESTION])
    with torch.inference_mode():
        want = model(ids[None]).logits[0, 250:]
    ctx = squeezed.prepare(model, ids[:250])
    torch.testing.assert_close(logits(model, ctx, squeezed.Full()), want, rtol=1e-4, atol=1e-4)


def test_attention_sinks_are_refused_when_they_reach_the_engine(model, ctx):
    layer = model.model.layers[0].self_attn
    cache = ctx.cache(squeezed.Full())
    states = torch.zeros(1, 2, 3, 16)
    keys, values = cache.update(states, states, 0)
    with pytest.raises(squeezed.UnsupportedModelError, match="s_aux"):
        attention.forward(layer, torch.zeros(1, 4, 3, 16), keys, values, None, s_aux=torch.ones(4))
