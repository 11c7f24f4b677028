"""The embedded model's training: what its sequences show, and that its first weights are a circuit."""

import argparse
import random
import re

import pytest
import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from bench.models import MINI
from bench.models.training import given, train
from bench.models.training.data import IGNORE, collate, draw_drill, draw_sequence
from bench.models.training.given import VALUES, draw_batch, fit, targets, widen
from bench.models.training.loss import loss_and_accuracy
from bench.models.training.optimise import make_optimizers, step_once
from bench.models.training.train import KINDS, curriculum, draw_task, new_model


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(MINI)


def batch(tokenizer, kind, seed=0):
    rng = random.Random(seed)
    rows = [draw_task(tokenizer, rng, kind, 200, 5000, 0.0) for _ in range(3)]
    return rows, collate(rows, tokenizer.pad_token_id)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_targets_and_stand_in_the_context(tokenizer, kind):
    rows, _ = batch(tokenizer, kind)
    for row in rows:
        context = tokenizer.decode(row.context)
        answers = [token for token in row.labels if token != IGNORE]
        for answer in tokenizer.decode(answers).split(tokenizer.eos_token)[:-1]:
            found = re.findall(r"\d{7}", answer) or [answer.strip().removesuffix(".")]
            assert all(value in context for value in found)


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_sees_the_context_and_itself_only(tokenizer, kind):
    rows, joined = batch(tokenizer, kind)
    width = joined["context"].shape[1]
    for i, row in enumerate(rows):
        for t in (0, len(row.asked) // 2, len(row.asked) - 1):
            seen = joined["mask"][i, 0, t]
            assert int(seen[:width].sum()) == len(row.context)
            own = seen[width:].nonzero().flatten().tolist()
            first = row.segments.index(row.segments[t])
            assert own == list(range(first, t + 1))


def test_positions_rise_and_questions_follow_the_context(tokenizer):
    for seed in range(10):
        rows, _ = batch(tokenizer, "single", seed)
        for row in rows:
            steps = torch.tensor(row.context_positions).diff()
            assert int(steps.min()) == 1
            assert row.positions[0] == row.context_positions[-1] + 1
            assert row.context_positions[-1] <= 5000


def test_same_seed_same_sequence(tokenizer):
    draws = [draw_sequence(tokenizer, random.Random(5), "single", 300, 5000, 0.5) for _ in range(2)]
    assert draws[0] == draws[1]


def test_first_weights_already_copy(tokenizer):
    # Random weights would be at chance, one in 8,192.
    torch.manual_seed(0)
    model = new_model(tokenizer, layers=2, hidden=128)
    rng = random.Random(1)
    rows = [draw_drill(tokenizer, rng, 64, 1024, 5000) for _ in range(8)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    joined = collate(rows, tokenizer.pad_token_id)
    model.eval()
    before, _ = loss_and_accuracy(model, joined)
    for _ in range(8):
        rows = [draw_drill(tokenizer, rng, 64, 1024, 5000) for _ in range(8)]
        loss, _ = loss_and_accuracy(model, collate(rows, tokenizer.pad_token_id))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    after, _ = loss_and_accuracy(model, joined)
    assert after < before - 0.2


def test_curriculum_ends_at_the_length_asked_for():
    assert curriculum(1024)[-1].length == 1024
    assert [stage.vocabulary for stage in curriculum(256)] == [1024, 8189, None, None]


def test_values_of_a_key_are_right_in_any_order(tokenizer):
    row = draw_sequence(tokenizer, random.Random(3), "multivalue", 400, 5000, 0.0)
    first = row.segments.count(1)
    choices = [
        [label, *(other for other in others if other != IGNORE)]
        for label, others in zip(row.labels[:first], row.others[:first], strict=True)
        if label != IGNORE
    ]
    several = [each for each in choices if len(each) > 1]
    assert [len(each) for each in several] == [4, 3, 2]  # four values, fewer left each time
    assert set(several[2]) < set(several[1]) < set(several[0])


def test_the_loss_counts_every_right_token(tokenizer):
    torch.manual_seed(0)
    model = new_model(tokenizer, 2, 128)
    _, joined = batch(tokenizer, "multivalue")
    with torch.no_grad():
        any_order, _ = loss_and_accuracy(model, joined)
        joined["others"] = torch.full_like(joined["others"], IGNORE)
        one_order, _ = loss_and_accuracy(model, joined)
    assert any_order < one_order


def test_twice_the_heads_compute_the_same(tokenizer):
    model = LlamaForCausalLM.from_pretrained(MINI)
    wide = widen(model)
    assert wide.config.num_attention_heads == 2 * model.config.num_attention_heads
    assert wide.config.num_key_value_heads == 2 * model.config.num_key_value_heads
    ids = torch.randint(3, len(tokenizer), (2, 50))
    with torch.no_grad():
        torch.testing.assert_close(wide(ids).logits, model(ids).logits, atol=1e-4, rtol=1e-4)


def test_new_heads_look_at_the_values_that_this_answer_has_named(tokenizer):
    batch = draw_batch(tokenizer, random.Random(0), (100, 200))
    sequence, place, share = targets(tokenizer, batch)
    torch.testing.assert_close(share.sum(-1), torch.ones(len(share)))
    width, counts = batch["context"].shape[1], set()
    for row, at, wanted in zip(sequence.tolist(), place.tolist(), share, strict=True):
        own = batch["segments"][row] == batch["segments"][row, at]
        start = int(own.nonzero()[0])
        text = tokenizer.decode(batch["asked"][row, start : at + 1])
        named = re.findall(r"has (\d{3})\d{4}", text)
        marked = wanted[1:].nonzero().flatten() + 1 - width
        assert [tokenizer.decode(batch["asked"][row, i]) for i in marked] == named
        assert set(wanted[1:].unique().tolist()) <= {0.0, 1 / VALUES}
        counts.add(len(named))
    assert counts == set(range(VALUES))


def test_fitting_changes_the_new_heads_of_one_layer_only(tokenizer):
    model = widen(LlamaForCausalLM.from_pretrained(MINI)).requires_grad_(False)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    args = argparse.Namespace(seed=0, steps=2, rate=1e-3, longest=120)
    fit(model, tokenizer, args)
    changed = {n for n, weight in model.named_parameters() if not torch.equal(weight, before[n])}
    names = {f"model.layers.1.self_attn.{each}_proj.weight" for each in "qkvo"}
    assert changed == names
    for name in names:
        old = model.get_parameter(name).chunk(2, dim=int("o_proj" in name))[0]
        assert torch.equal(old, before[name].chunk(2, dim=int("o_proj" in name))[0])
    attention = model.model.layers[1].self_attn
    old, new = attention.o_proj.weight.chunk(2, dim=1)
    assert torch.equal(new, -old)


@pytest.mark.parametrize("embeddings", ["all", "seen", "none"])
def test_a_step_trains_the_embeddings_asked_for(tokenizer, embeddings):
    model = new_model(tokenizer, layers=2, hidden=64)
    before = model.model.embed_tokens.weight.detach().clone()
    args = argparse.Namespace(
        optimizer="adamw", lr=1e-3, muon_lr=1e-3, embeddings=embeddings, bf16=False
    )
    _, joined = batch(tokenizer, "single")
    step_once(model, make_optimizers(model, args), joined, 1.0, args)
    changed = (model.model.embed_tokens.weight != before).any(dim=1).nonzero().flatten()
    own = torch.cat([joined["context"].flatten(), joined["asked"].flatten()]).unique()
    assert len(changed) == {"all": len(before), "none": 0}.get(embeddings, len(changed))
    if embeddings == "seen":
        assert 0 < len(changed) <= len(own) + 1  # the last answer's end is a label only
        assert set(changed.tolist()) - {tokenizer.eos_token_id} <= set(own.tolist())


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (given, ["--model", "./none"], "none does not exist"),
        (given, ["--model", str(MINI.parent)], "holds no config.json"),
        (train, ["--resume", "./none"], "none does not exist"),
        (train, ["--mix", "single:1,poem:2"], "unknown kind of task: poem"),
    ],
)
def test_wrong_input_is_one_line(monkeypatch, capsys, command, arguments, message):
    monkeypatch.setattr("sys.argv", ["command", *arguments])
    with pytest.raises(SystemExit) as end:
        command.main()
    assert end.value.code == 2
    assert message in capsys.readouterr().err
