"""Generation: batches equal one-by-one runs, stopping, blocks of queries, keys and values on the host."""

import dataclasses

import pytest
import torch

import squeezed
from tests.squeezed.conftest import WINDOW, logits, random_ids

QUESTION = random_ids(14, seed=21)
INPUTS = [random_ids(length, seed=60 + length) for length in (5, 12, 1, 9)]

METHODS = [
    squeezed.Full(),
    squeezed.Squeezed(sparsity=0.8, rule="topk"),
    squeezed.Squeezed(sparsity=0.8, rule="threshold"),
    squeezed.Squeezed(sparsity=0.8, rule="topp"),
    squeezed.Squeezed(sparsity=0.8, rule="topk", block=4),
    squeezed.Squeezed(sparsity=0.8, rule="threshold", block=4, scope="head"),
    squeezed.Squeezed(sparsity=0.8, rule="topk", reduce="max"),
    squeezed.Squeezed(sparsity=0.8, rule="topk", residual=True, block=3),
    squeezed.Squeezed(kv_budget=0.6, rule="topk", dense_layers=1),
    squeezed.Oracle(sparsity=0.8),
    squeezed.Oracle(sparsity=0.8, rule="threshold"),
    squeezed.Oracle(sparsity=0.8, block=4),
    squeezed.Quest(sparsity=0.7),
    squeezed.Quest(sparsity=0.7, block=4),
    squeezed.StreamingLLM(sparsity=0.8),
    squeezed.SnapKV(sparsity=0.8),
    squeezed.SnapKV(sparsity=0.8, observe="input", queries=4),
    squeezed.H2O(sparsity=0.8),
    squeezed.Random(sparsity=0.8),
]
BLOCKED = [
    cls for cls in squeezed.METHODS.values() if "block" in {f.name for f in dataclasses.fields(cls)}
]
# Every method with what it does by default, and those that select for blocks of a user input in blocks, too.
EVERY = [
    *(cls() for cls in squeezed.METHODS.values()),
    *(cls(block=block) for cls in BLOCKED for block in (None, 4)),
    squeezed.Twilight(sparsity=0.5, first=squeezed.Quest(sparsity=0.5, block=4)),
]


def name(method) -> str:
    """The settings that differ from the method's defaults."""
    default = type(method)()
    changed = {
        field.name: getattr(method, field.name)
        for field in dataclasses.fields(method)
        if getattr(method, field.name) not in (getattr(default, field.name), None)
    }
    return "-".join([type(method).__name__, *(f"{k}={v}" for k, v in changed.items())])


@pytest.mark.parametrize("method", dict.fromkeys([*METHODS, *EVERY]), ids=name)
def test_a_batch_equals_one_by_one(model, ctx, method):
    together = squeezed.generate(model, ctx, INPUTS, method=method, max_new_tokens=5)
    for number, question in enumerate(INPUTS):
        alone = squeezed.generate(model, ctx, question, method=method, max_new_tokens=5)
        assert together.sequences[number].tolist() == alone.sequences[0].tolist()
        assert together.stats.kv_budgets[number] == pytest.approx(alone.stats.kv_budget, abs=1e-5)
    assert together.stats.kv_budget == pytest.approx(sum(together.stats.kv_budgets) / len(INPUTS))


@pytest.mark.parametrize("depth", [2, 3])
def test_a_batch_equals_one_by_one_in_a_hierarchy(model, deep, depth):
    for method in (
        squeezed.Squeezed(sparsity=0.8, rule="topk", residual=True),
        squeezed.Squeezed(sparsity=0.8, block=4),
    ):
        ctx = deep[depth]
        together = squeezed.generate(model, ctx, INPUTS, method=method, max_new_tokens=4)
        for number, question in enumerate(INPUTS):
            alone = squeezed.generate(model, ctx, question, method=method, max_new_tokens=4)
            assert together.sequences[number].tolist() == alone.sequences[0].tolist()
            assert together.stats.kv_budgets[number] == pytest.approx(
                alone.stats.kv_budget, abs=1e-5
            )


def test_a_batch_holds_the_fixed_keys_once(model, ctx):
    cache = ctx.cache(squeezed.Squeezed(rule="topk"))
    with torch.inference_mode():
        model(torch.stack([QUESTION] * 5), past_key_values=cache)
    for layer, index in zip(cache.layers, ctx.layers, strict=True):
        assert layer.fixed.keys.data_ptr() == index.keys.data_ptr()
        assert layer.keys.shape == (5, 2, len(QUESTION), 16)  # own tokens only


# --- Stopping -----------------------------------------------------------------------------------------------


def greedy(model, ctx, question=QUESTION, **settings):
    return squeezed.generate(model, ctx, question, method=squeezed.Full(), **settings)


def test_an_answer_ends_with_its_first_stop_token(model, ctx):
    free = greedy(model, ctx, max_new_tokens=8).sequences[0].tolist()
    stop = free[3]
    out = greedy(model, ctx, max_new_tokens=8, stop_ids=[stop])
    end = free.index(stop) + 1
    assert out.sequences[0].tolist() == free[:end]
    assert out.lengths == (end,)


def test_the_models_own_stop_tokens_always_stop(model, ctx, monkeypatch):
    free = greedy(model, ctx, max_new_tokens=8).sequences[0].tolist()
    for eos in (free[2], [299, free[2]]):
        monkeypatch.setattr(model.generation_config, "eos_token_id", eos)
        out = greedy(model, ctx, max_new_tokens=8)
        assert out.sequences[0].tolist() == free[: free.index(free[2]) + 1]
        assert greedy(model, ctx, max_new_tokens=8, stop_ids=[free[1]]).lengths == (2,)


def test_no_stop_before_the_least_number_of_tokens(model, ctx):
    free = greedy(model, ctx, max_new_tokens=8).sequences[0].tolist()
    first = greedy(model, ctx, max_new_tokens=8, stop_ids=free[:1])
    assert first.lengths == (1,)
    for least in (2, 4):
        out = greedy(model, ctx, max_new_tokens=8, stop_ids=free, min_new_tokens=least)
        assert out.lengths == (least,)
        assert out.sequences[0].tolist() == free[:least]


def test_members_stop_on_their_own_and_are_filled_up(model, ctx):
    alone = [greedy(model, ctx, q, max_new_tokens=6).sequences[0].tolist() for q in INPUTS]
    stop = alone[1][2]
    out = greedy(model, ctx, INPUTS, max_new_tokens=6, stop_ids=[stop])
    for row, length, free in zip(out.sequences.tolist(), out.lengths, alone, strict=True):
        want = free[: free.index(stop) + 1] if stop in free else free
        assert length == len(want)
        assert row[:length] == want
        assert set(row[length:]) <= {1}  # the model's padding token
    assert len(set(out.lengths)) > 1


def test_a_stopped_members_budget_is_that_of_its_own_steps(model, ctx):
    method = squeezed.SnapKV(
        sparsity=0.8, observe="input"
    )  # the first step costs more than the others
    free = squeezed.generate(model, ctx, INPUTS[1], method=method, max_new_tokens=6)
    stop = free.sequences[0, 1].item()
    alone = squeezed.generate(
        model, ctx, INPUTS[1], method=method, max_new_tokens=6, stop_ids=[stop]
    )
    together = squeezed.generate(
        model, ctx, INPUTS, method=method, max_new_tokens=6, stop_ids=[stop]
    )
    assert together.stats.kv_budgets[1] == pytest.approx(alone.stats.kv_budget, abs=1e-5)


def test_times_are_measured(model, ctx):
    stats = greedy(model, ctx, max_new_tokens=3).stats
    assert stats.prefill_ms > 0
    assert stats.decode_ms_per_token > 0
    one = greedy(model, ctx, max_new_tokens=1).stats
    assert one.decode_ms_per_token != one.decode_ms_per_token  # NaN: no token after the first


@pytest.mark.parametrize("question", [[], [[1], [2, 3]], [QUESTION], QUESTION[None], [5, 6]])
def test_shapes_of_user_inputs(model, ctx, question):
    if len(question) == 0:
        with pytest.raises(ValueError, match="question_ids has shape"):
            greedy(model, ctx, question, max_new_tokens=1)
    else:
        rows = 2 if question == [[1], [2, 3]] else 1
        assert greedy(model, ctx, question, max_new_tokens=1).sequences.shape == (rows, 1)


def test_user_inputs_of_two_dimensions_are_refused(model, ctx):
    with pytest.raises(ValueError, match=r"question_ids has shape \(2, 7\)"):
        greedy(model, ctx, QUESTION.view(2, 7), max_new_tokens=1)


def test_no_new_tokens_is_an_error(model, ctx):
    with pytest.raises(ValueError, match="max_new_tokens is 0"):
        greedy(model, ctx, max_new_tokens=0)


# --- Blocks of queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["topk", "threshold", "topp"])
def test_one_block_is_the_whole_input_and_single_tokens_are_decoding(model, ctx, rule):
    method = squeezed.Squeezed(sparsity=0.8, rule=rule)
    whole = logits(model, ctx, method, QUESTION)
    # Thresholds and masses hold for blocks of the window: as large as it, they are those of all of it.
    for block in (len(QUESTION), WINDOW) if rule == "topk" else (WINDOW,):
        one = logits(model, ctx, dataclasses.replace(method, block=block), QUESTION)
        torch.testing.assert_close(one, whole, rtol=1e-5, atol=1e-5)
    by_token = dataclasses.replace(method, block=1)
    cache = ctx.cache(by_token)
    with torch.inference_mode():
        steps = [model(token[None, None], past_key_values=cache).logits[0] for token in QUESTION]
    single = logits(model, ctx, by_token, QUESTION)
    torch.testing.assert_close(single, torch.cat(steps), rtol=1e-4, atol=1e-4)


def test_smaller_blocks_are_closer_to_full_attention(model, ctx):
    want = logits(model, ctx, squeezed.Full(), QUESTION)
    errors = [
        (logits(model, ctx, squeezed.Oracle(sparsity=0.9, block=block), QUESTION) - want)
        .norm()
        .item()
        for block in (1, None)
    ]
    assert errors[0] < errors[1]


# --- Where keys and values live -----------------------------------------------------------------------------


def test_keys_on_the_host_change_nothing(model, ctx):
    """On one device; that they move, and from a GPU, is tested with ``squeezed.context.host``."""
    host = ctx.to_host()
    for method in METHODS[:4]:
        assert torch.equal(
            logits(model, host, method, QUESTION), logits(model, ctx, method, QUESTION)
        )


def test_calibrations_move_to_the_host_too(model):
    """They may be all there is: thresholds calibrated before the queries were let go."""
    ctx = squeezed.prepare(model, random_ids(300, seed=2), keep_queries=False)
    method = squeezed.Squeezed(sparsity=0.7)
    want = logits(model, ctx, method, QUESTION)
    assert torch.equal(logits(model, ctx.to_host(), method, QUESTION), want)


def test_a_context_prepared_without_queries_answers_alike(model, ctx):
    bare = squeezed.prepare(model, ctx.ids, keep_queries=False)
    method = squeezed.Squeezed(sparsity=0.7)
    assert torch.equal(logits(model, bare, method, QUESTION), logits(model, ctx, method, QUESTION))
