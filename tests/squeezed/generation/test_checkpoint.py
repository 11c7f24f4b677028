"""Generation settings of a checkpoint: applied as ``model.generate(do_sample=False)`` does, or named."""

import warnings

import pytest
import torch
from transformers import GenerationConfig, WatermarkingConfig

import squeezed
from tests.squeezed.conftest import random_ids, tiny_llama

NEW = 8
FULL = squeezed.Full()


@pytest.fixture(scope="module")
def llama():
    return tiny_llama(layers=1)


@pytest.fixture(scope="module")
def short(llama):
    return squeezed.prepare(llama, random_ids(150, seed=1), (0.1,), window=20)


@pytest.fixture
def questions():
    return [random_ids(n, seed=n) for n in (9, 4, 1)]


@pytest.fixture
def free(llama, short, questions):
    """Answers with no settings at all."""
    return [answers(llama, short, each)[0] for each in questions]


def answers(model, ctx, question, **settings):
    out = squeezed.generate(model, ctx, question, method=FULL, max_new_tokens=NEW, **settings)
    return [row[:n] for row, n in zip(out.sequences.tolist(), out.lengths, strict=True)]


def reference(model, ctx, question):
    ids = torch.cat([ctx.ids, question])[None]
    return model.generate(ids, max_new_tokens=NEW, do_sample=False)[0, ids.shape[1] :].tolist()


def settings_of(free):
    """Settings that bite: made from what would be said without them."""
    first = free[0]
    return {
        "repetition_penalty": {"repetition_penalty": 1.8},
        "no_repeat_ngram_size": {"no_repeat_ngram_size": 1},
        "encoder_repetition_penalty": {"encoder_repetition_penalty": 0.5},
        "encoder_no_repeat_ngram_size": {"encoder_no_repeat_ngram_size": 1},
        "suppress_tokens": {"suppress_tokens": [first[0], first[3]]},
        "begin_suppress_tokens": {"begin_suppress_tokens": [each[0] for each in free]},
        "bad_words_ids": {"bad_words_ids": [[first[1]], [first[3], first[4]]]},
        "sequence_bias": {"sequence_bias": [[[first[2]], -50.0], [[7], 3.0]]},
        "forced_eos_token_id": {"forced_eos_token_id": 5},
        "min_length": {"min_length": 163, "eos_token_id": first[2]},
        "min_new_tokens": {"min_new_tokens": 6, "eos_token_id": [first[2], 8]},
        "exponential_decay_length_penalty": {
            "exponential_decay_length_penalty": [2, 3.0],
            "eos_token_id": 9,
        },
        "watermarking_config": {"watermarking_config": WatermarkingConfig(bias=20.0)},
        "several": {
            "repetition_penalty": 1.3,
            "no_repeat_ngram_size": 2,
            "suppress_tokens": [first[0]],
            "eos_token_id": [first[2], first[5]],
        },
    }


NAMES = list(settings_of([list(range(NEW))] * 3))


@pytest.mark.filterwarnings("ignore:Unfeasible length")
@pytest.mark.parametrize("name", NAMES)
def test_settings_act_as_in_transformers_and_a_batch_equals_one_by_one(
    llama, short, questions, free, monkeypatch, name
):
    settings = settings_of(free)[name]
    config = GenerationConfig(pad_token_id=1, **settings)
    monkeypatch.setattr(llama, "generation_config", config)
    want = [reference(llama, short, each) for each in questions]
    assert want != free  # it bites
    assert [answers(llama, short, each)[0] for each in questions] == want
    assert answers(llama, short, questions) == want
    out = squeezed.generate(llama, short, questions[0], method=FULL, max_new_tokens=1)
    assert set(out.applied) == set(settings) - {"eos_token_id"}
    assert out.ignored == ()


def test_a_checkpoint_without_settings_applies_none(llama, short, questions):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = squeezed.generate(llama, short, questions, method=FULL, max_new_tokens=2)
    assert out.applied == out.ignored == ()


def test_settings_that_only_sampling_needs_are_none(llama, short, questions, free, monkeypatch):
    sampling = GenerationConfig(do_sample=True, temperature=0.6, top_p=0.9, top_k=20)
    monkeypatch.setattr(llama, "generation_config", sampling)
    out = squeezed.generate(llama, short, questions[0], method=FULL, max_new_tokens=NEW)
    assert out.sequences[0].tolist() == free[0]
    assert out.applied == out.ignored == ()


def test_what_cannot_be_applied_is_said_by_name(llama, short, questions, free, monkeypatch):
    beams = GenerationConfig(num_beams=4, guidance_scale=2.0, stop_strings=["end"])
    monkeypatch.setattr(llama, "generation_config", beams)
    with pytest.warns(UserWarning, match="num_beams, guidance_scale, stop_strings are not applied"):
        out = squeezed.generate(llama, short, questions[0], method=FULL, max_new_tokens=NEW)
    assert out.ignored == ("num_beams", "guidance_scale", "stop_strings")
    assert out.sequences[0].tolist() == free[0]


def test_our_own_stops_and_least_length_stay_beside_the_settings(
    llama, short, questions, free, monkeypatch
):
    config = GenerationConfig(suppress_tokens=[free[0][0]], pad_token_id=1)
    monkeypatch.setattr(llama, "generation_config", config)
    told = reference(llama, short, questions[0])
    stop = told[2]
    end = told.index(stop) + 1
    assert answers(llama, short, questions[0], stop_ids=[stop])[0] == told[:end]
    least = answers(llama, short, questions[0], stop_ids=told, min_new_tokens=4)
    assert least[0] == told[:4]
