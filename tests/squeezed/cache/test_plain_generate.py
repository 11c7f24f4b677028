"""transformers' own ``generate`` with our cache: right for the whole sequence, or refused by name."""

import pytest
import torch

import squeezed
from squeezed.cache import asking
from tests.squeezed.conftest import logits, random_ids, tiny_llama

CONTEXT, NEW = 160, 5
FULL = squeezed.Full()
GREEDY = {"do_sample": False, "max_new_tokens": NEW}


@pytest.fixture(scope="module")
def llama():
    return tiny_llama(layers=2)


@pytest.fixture(scope="module")
def short(llama):
    """A context that a user input may be longer than."""
    return squeezed.prepare(llama, random_ids(CONTEXT, seed=1), (0.1,), window=20)


@pytest.fixture
def prompt(short):
    return torch.cat([short.ids, random_ids(9, seed=2)])[None]


def new_tokens(model, ids, cache=None, **settings):
    torch.manual_seed(0)
    out = model.generate(ids, past_key_values=cache, **{**GREEDY, **settings})
    return out[:, ids.shape[1] :].tolist()


def answer(model, ctx, question):
    out = squeezed.generate(model, ctx, question, method=FULL, max_new_tokens=NEW)
    return out.sequences.tolist()


# --- What is right ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_beams": 3},
        {"num_beams": 3, "num_return_sequences": 2, "length_penalty": 0.5},
        {"do_sample": True, "num_return_sequences": 3},
        {"do_sample": True, "num_beams": 2, "temperature": 0.7},
        {"repetition_penalty": 1.5, "no_repeat_ngram_size": 2},
        {"prefill_chunk_size": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", [FULL, squeezed.SnapKV(sparsity=0, observe="input")], ids=str)
def test_every_way_of_decoding_equals_that_without_our_cache(
    llama, short, prompt, settings, method
):
    want = new_tokens(llama, prompt, **settings)
    assert new_tokens(llama, prompt, short.cache(method), **settings) == want


def test_a_batch_of_beams_equals_that_without_our_cache(llama, short):
    prompts = torch.stack([torch.cat([short.ids, random_ids(7, seed=n)]) for n in (3, 4)])
    want = new_tokens(llama, prompts, num_beams=2)
    assert new_tokens(llama, prompts, short.cache(FULL), num_beams=2) == want


@pytest.mark.parametrize("length", [1, 40, CONTEXT, CONTEXT + 1, CONTEXT + 30])
def test_the_user_input_alone_needs_a_mask_over_the_whole(llama, short, length):
    question = random_ids(length, seed=5)[None]
    mask = torch.ones(1, CONTEXT + length, dtype=torch.int64)
    got = new_tokens(llama, question, short.cache(FULL), attention_mask=mask)
    assert got == answer(llama, short, question[0])
    cache = short.cache(FULL)
    with pytest.raises(ValueError, match="whole sequence, which begins with the context's ids"):
        new_tokens(llama, question, cache)
    assert cache.reads[0].steps == []


def test_a_second_turn_goes_on_where_the_first_ended(llama, short, prompt):
    cache = short.cache(FULL)
    first = new_tokens(llama, prompt, cache)
    longer = torch.cat([prompt, torch.tensor(first), random_ids(6, seed=6)[None]], dim=1)
    assert new_tokens(llama, longer, cache) == new_tokens(llama, longer)


def test_padding_lies_between_the_context_and_the_user_input(llama, short):
    questions = [random_ids(n, seed=n) for n in (8, 3)]
    padded = torch.stack([torch.nn.functional.pad(q, (8 - len(q), 0), value=1) for q in questions])
    ids = torch.cat([short.ids.expand(2, -1), padded], dim=1)
    got = new_tokens(llama, ids, short.cache(FULL), attention_mask=(ids != 1).long())
    assert got == answer(llama, short, questions)


# --- What is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings", [{"prompt_lookup_num_tokens": 3}, {"assistant_model": None}], ids=str
)
def test_decoding_with_drafts_is_refused(llama, short, prompt, settings):
    settings = {name: llama if value is None else value for name, value in settings.items()}
    with pytest.raises(ValueError, match="assisted decoding and prompt lookup are refused"):
        new_tokens(llama, prompt, short.cache(FULL), **settings)


def test_a_generate_that_asks_from_another_function_is_refused(llama, short, prompt, monkeypatch):
    # As a later transformers might; other ids than the context's would be answered without a word.
    monkeypatch.setattr(asking, "_CALLER", (asking._CALLER[0], "a_function_of_another_version"))
    cache = short.cache(FULL)
    with pytest.raises(squeezed.UnsupportedModelError, match="cannot be compared with the fixed"):
        new_tokens(llama, prompt, cache)
    assert cache.reads[0].steps == []


def test_a_generate_whose_variables_have_other_names_is_refused(llama, short, prompt):
    module, function = asking._CALLER
    names = {"__name__": module}
    exec(
        f"def {function}(model, tokens, cache):\n"
        "    return model(tokens[:, cache.get_seq_length():], past_key_values=cache)",
        names,
    )
    with pytest.raises(squeezed.UnsupportedModelError, match="cannot be compared with the fixed"):
        names[function](llama, prompt, short.cache(FULL))


def test_a_loop_of_ones_own_needs_no_ids(llama, short, prompt, monkeypatch):
    monkeypatch.setattr(asking, "_CALLER", ("nobody", "asks"))
    with torch.inference_mode():
        got = llama(prompt[:, CONTEXT:], past_key_values=short.cache(FULL)).logits[0, -1].argmax()
    assert got.item() == new_tokens(llama, prompt, max_new_tokens=1)[0][0]


def test_the_context_alone_is_refused(llama, short):
    with pytest.raises(ValueError, match="input_ids has 160 tokens, and the cache already holds"):
        new_tokens(llama, short.ids[None], short.cache(FULL))


def test_another_beginning_is_refused(llama, short, prompt):
    for place in (0, CONTEXT - 1):
        other = prompt.clone()
        other[0, place] += 1
        with pytest.raises(ValueError, match="do not begin with the 160 ids"):
            new_tokens(llama, other, short.cache(FULL))


def test_a_mask_of_another_length_is_refused(llama, short, prompt):
    mask = torch.ones(1, 12, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"covers 12 tokens.* it is 329"):
        new_tokens(llama, prompt, short.cache(FULL), attention_mask=mask)


def test_no_cache_beside_a_cache_is_refused(llama, short, prompt):
    with pytest.raises(ValueError, match="use_cache=False feeds the fixed context again"):
        new_tokens(llama, prompt, short.cache(FULL), use_cache=False)


def test_a_static_cache_beside_ours_is_refused_by_transformers(llama, short, prompt):
    with pytest.raises(ValueError, match="cache_implementation"):
        new_tokens(llama, prompt, short.cache(FULL), cache_implementation="static")


def test_embeddings_are_taken_for_the_whole_sequence(llama, short, prompt):
    embeds = llama.get_input_embeddings()(prompt)
    want = llama.generate(inputs_embeds=embeds, **GREEDY).tolist()
    got = llama.generate(inputs_embeds=embeds, past_key_values=short.cache(FULL), **GREEDY)
    assert got.tolist() == want
    with pytest.raises(ValueError, match="inputs_embeds has 9 tokens"):
        llama.generate(inputs_embeds=embeds[:, -9:], past_key_values=short.cache(FULL), **GREEDY)


def test_positions_inside_the_context_are_refused_in_a_loop_of_ones_own(llama, short):
    question = random_ids(6, seed=7)[None]
    inside = torch.arange(CONTEXT - 1, CONTEXT + 5)[None]
    with pytest.raises(ValueError, match="fed at position 159, which is inside"):
        llama(question, position_ids=inside, past_key_values=short.cache(FULL))
    # Padding stands anywhere.
    mask = torch.ones(1, CONTEXT + 6, dtype=torch.int64)
    mask[0, CONTEXT] = 0
    llama(question, position_ids=inside, attention_mask=mask, past_key_values=short.cache(FULL))


# --- What else a cache can be asked -------------------------------------------------------------------------


@pytest.mark.parametrize("method", [FULL, squeezed.SnapKV(sparsity=0.5, observe="input")], ids=str)
def test_a_cache_that_is_reset_is_as_new(llama, short, method):
    one, other = random_ids(8, seed=8), random_ids(5, seed=9)
    cache = short.cache(method)
    with torch.inference_mode():
        llama(one[None], past_key_values=cache)
        cache.reset()
        assert cache.get_seq_length() == CONTEXT
        got = llama(other[None], past_key_values=cache).logits[0]
    assert torch.equal(got, logits(llama, short, method, other))
    assert len(cache.reads[0].steps) == 1


def test_cropping_removes_own_tokens_and_no_others(llama, short):
    question = random_ids(8, seed=10)
    cache = short.cache(FULL)
    with torch.inference_mode():
        want = llama(question[None], past_key_values=cache).logits[0, -3:]
        cache.crop(0)
        cache.crop(-3)
        assert cache.get_seq_length() == CONTEXT + 5
        got = llama(question[None, -3:], past_key_values=cache).logits[0]
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
        for number in (-9, 3):
            with pytest.raises(ValueError, match=rf"crop\({number}\).* at most the 8 behind"):
                cache.crop(number)
        cache.crop(-8)
        assert cache.get_seq_length() == CONTEXT
        assert torch.equal(llama(question[None], past_key_values=cache).logits[0, -3:], want)


def test_the_batch_of_a_cache_is_kept(llama, short):
    cache = short.cache(FULL)
    with pytest.raises(ValueError, match="keeps its batch"):
        cache.batch_repeat_interleave(2)
    with pytest.raises(ValueError, match="keeps its batch"):
        cache.batch_select_indices(torch.tensor([0]))
