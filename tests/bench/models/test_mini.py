"""The embedded model: it answers, and methods differ on it as they should."""

import functools

import pytest
import torch
from safetensors import safe_open

import squeezed
from bench.models import MINI, check, load_model
from ruler.generate import generate
from ruler.score import score


@pytest.fixture(scope="module")
def mini():
    return load_model("mini")


@pytest.fixture(scope="module")
def prepared(mini):
    """The fixed context of a text; all methods and tests share it."""
    model, tokenizer = mini

    @functools.cache
    def prepare(text):
        ids = [tokenizer.bos_token_id, *tokenizer.encode(text, add_special_tokens=False)]
        return squeezed.prepare(model, ids)

    return prepare


@pytest.fixture(scope="module")
def accuracy(mini, prepared):
    """Mean score and measured budget over fresh questions (a seed no committed result uses)."""
    model, tokenizer = mini

    @functools.cache
    def accuracy(method, subtask, contexts=6, questions=4, tokens=16):
        rows = list(
            generate(subtask, tokenizer, 1024, contexts, seed=7, questions_per_context=questions)
        )
        scores, budgets = [], []
        for row in rows:
            asked = tokenizer.encode(row.question + row.answer_prefix, add_special_tokens=False)
            out = squeezed.generate(
                model, prepared(row.context), asked, method=method, max_new_tokens=tokens
            )
            text = tokenizer.decode(out.sequences[0], skip_special_tokens=True)
            scores.append(score(row.subtask, text, row.answers))
            budgets.append(out.stats.kv_budget)
        return sum(scores) / len(scores), sum(budgets) / len(budgets)

    return accuracy


@pytest.mark.parametrize("subtask", ["niah_single_1", "niah_multikey_1", "niah_multikey_2"])
def test_retrieves_with_full_attention(accuracy, subtask):
    assert accuracy(squeezed.Full(), subtask)[0] >= 0.9


def test_lists_all_values_of_a_key(accuracy):
    assert accuracy(squeezed.Full(), "niah_multivalue", 6, 1, tokens=80)[0] >= 0.9


def test_squeezed_keeps_what_streaming_loses(accuracy):
    full, _ = accuracy(squeezed.Full(), "niah_multikey_2")
    topk, budget = accuracy(squeezed.Squeezed(sparsity=0.8, rule="topk"), "niah_multikey_2")
    streaming, same = accuracy(squeezed.StreamingLLM(kv_budget=budget), "niah_multikey_2")
    assert same == pytest.approx(budget, abs=0.01)
    assert topk >= full - 0.1
    assert streaming <= full - 0.4


def test_is_small_grouped_and_complete():
    assert (MINI / "model.safetensors").stat().st_size <= 16 * 2**20
    model, tokenizer = load_model("mini")
    assert model.config.num_attention_heads > model.config.num_key_value_heads
    assert model.config.head_dim in (32, 64)
    with safe_open(MINI / "model.safetensors", "pt") as file:
        for name in file.keys():  # noqa: SIM118 - not a dict
            assert bool(torch.isfinite(file.get_tensor(name)).all()), name
    assert tokenizer.eos_token_id == model.config.eos_token_id


@pytest.mark.parametrize(
    "text", ["plain", "Zürich ≥ 3.14159\t\n\n  x", "日本語 🙂 {braces} \\ `code`", "", "\r\n\x00"]
)
def test_any_text_encodes_and_comes_back(mini, text):
    _, tokenizer = mini
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("large",), ValueError, "unknown model 'large'"),
        (("mini", None, "int8"), ValueError, "model.dtype is 'int8'"),
        (("x", "/no/such/folder"), FileNotFoundError, "does not exist"),
        (("x", "./nothing"), FileNotFoundError, "does not exist"),
        (("x", str(MINI.parent)), FileNotFoundError, r"holds no config\.json"),
    ],
)
def test_what_is_wrong_is_said_without_loading(arguments, error, message):
    with pytest.raises(error, match=message):
        check(*arguments)
