"""Fixtures of the RULER tests: tokenizers, and small data sets written for them. Nothing is fetched."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from ruler.prompts import SUITE
from ruler.sources import words

ROOT = Path(__file__).resolve().parents[2]
TOKENIZERS = ("mini", "bytes", "words", "merging", "gpt2")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|user|>{{ message['content'] | trim }}<|stop|>"
    "{% endfor %}{% if add_generation_prompt %}<|model|>{% endif %}"
)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(ROOT / "bench" / "models" / "mini")


@pytest.fixture(scope="session")
def tokenizers(tokenizer: Any) -> dict[str, Any]:
    return {
        "mini": tokenizer,
        "bytes": byte_tokenizer(),
        "words": word_tokenizer(),
        "merging": merging_tokenizer(),
        "gpt2": gpt2_tokenizer(),
    }


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A token for every byte, a BOS, and a chat template that has the BOS in it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    marks = ["<s>", "<|user|>", "<|stop|>", "<|model|>"]
    vocabulary = {token: i for i, token in enumerate([*marks, *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(marks)
    backend.post_processor = adds_bos(backend)
    made = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")
    made.chat_template = TEMPLATE
    return made


def gpt2_tokenizer() -> PreTrainedTokenizerFast:
    """GPT-2's rule, with tokens of several blanks and line ends, which it cuts by what stands behind them."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=["<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    blanks = [f"a{blank}" for blank in ("\n\n", "\n\n\n", "   ", "\n  ", "\n\n ", " \n")]
    texts = [*map(str, vars(SUITE.niah).values()), *words.vocabulary()[:500], *blanks]
    backend.train_from_iterator(texts * 3, trainer)
    backend.post_processor = adds_bos(backend)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")


def adds_bos(backend: Tokenizer) -> processors.TemplateProcessing:
    """Puts the BOS in front of every text."""
    mark = ("<s>", backend.token_to_id("<s>"))
    return processors.TemplateProcessing(single="<s> $A", special_tokens=[mark])


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A token for every word, unknown ones included; no BOS."""
    known = [*words.vocabulary()[:3000], *"0123456789.,:-"]
    vocabulary = {token: i for i, token in enumerate(["[UNK]", *known])}
    backend = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]")


def merging_tokenizer() -> PreTrainedTokenizerFast:
    """Marks blanks and merges across them, as there is no rule where to cut; with a BOS."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=False))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", "<s>"], show_progress=False
    )
    texts = [*vars(SUITE.niah).values(), *vars(SUITE.vt).values(), *words.vocabulary()[:500]]
    backend.train_from_iterator([str(text) for text in texts] * 3, trainer)
    backend.post_processor = adds_bos(backend)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", unk_token="<unk>")


@pytest.fixture(scope="session")
def squad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in SQuAD's format: 6 articles, 5 paragraphs each, one question without an answer."""
    articles = [
        {"title": f"Harbour {i}", "paragraphs": [_paragraph(i, j) for j in range(5)]}
        for i in range(6)
    ]
    path = tmp_path_factory.mktemp("data") / "squad.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}))
    return path


def _paragraph(i: int, j: int) -> dict[str, Any]:
    year, keeper = 1700 + 10 * i + j, f"Keeper{i}{j}"
    text = (
        f"Pier {j} of harbour {i} was built in {year}, after two storms. Its lamp was kept by "
        f"{keeper},  who wrote down every ship.\nNobody paid for the stones but the fishermen."
    )
    built = {
        "question": f"When was pier {j} of harbour {i} built?",
        "is_impossible": False,
        "answers": [{"text": str(year)}, {"text": f"in {year}"}, {"text": str(year)}],
    }
    kept = {
        "question": f"Who kept the lamp of pier {j} of harbour {i}?",
        "is_impossible": False,
        "answers": [{"text": keeper}],
    }
    unknown = {"question": "Who paid the keeper?", "is_impossible": True, "answers": []}
    return {"context": text, "qas": [built, kept, unknown]}


@pytest.fixture(scope="session")
def hotpotqa(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in HotpotQA's format: 8 questions, each with two paragraphs of facts and eight others."""
    questions = []
    for i in range(8):
        towns = [
            [f"Town {i}-{j}", [f"Town {i}-{j} lies on river {i + j}. ", f"It has {j + 2} mills."]]
            for j in range(10)
        ]
        questions.append(
            {
                "question": f"Is the river of town {i}-3 that of town {i}-7?",
                "answer": "no",
                "context": towns,
                "supporting_facts": [[f"Town {i}-3", 0], [f"Town {i}-7", 0]],
            }
        )
    path = tmp_path_factory.mktemp("data") / "hotpotqa.json"
    path.write_text(json.dumps(questions))
    return path


@pytest.fixture(scope="session")
def data(squad: Path, hotpotqa: Path) -> dict[str, Path]:
    """Local data for the tasks that need some."""
    return {"squad": squad, "hotpotqa": hotpotqa}
