"""Ten kinds of tokenizer, as they are met in the world, each built here."""

from collections.abc import Callable
from typing import Any

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

MARKS = ["<unk>", "<s>", "</s>", "<|user|>", "<|end|>", "<|model|>", "[CLS]", "[SEP]"]
TEXT = (
    "The first line of a document. Which number does the ledger give for calm-otter? By the ledger, "
    "calm-otter has 4711042. [INST] and [/INST] stand around a turn. The answer is: one two three\n"
)
CORPUS = TEXT.split(" ")
TEXTS = [" ".join(CORPUS[i:] + CORPUS[:i]) for i in range(len(CORPUS))]
PLAIN_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m['role'] if m['role'] == 'user' else 'end' }}|>\n"
    "{{ m['content'] }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|model|>\n{% endif %}"
)
# Llama 2's: no special token at the border of the text, and the template trims.
INST_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}[INST] {{ m['content'] | trim }} [/INST]{% endfor %}"
)
GLUED_TEMPLATE = "{% for m in messages %}Q:{{ m['content'] }}{% endfor %}\n\nA:"


def build() -> dict[str, Any]:
    """The tokenizers by name."""
    return {name: made() for name, made in KINDS.items()}


def _tokenizer(backend: Tokenizer, single: str | None, template: str, **marks: Any) -> Any:
    if single is not None:
        ids = [(mark, backend.token_to_id(mark)) for mark in MARKS]
        backend.post_processor = processors.TemplateProcessing(single=single, special_tokens=ids)
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", **marks}
    made = PreTrainedTokenizerFast(tokenizer_object=backend, **marks)
    made.chat_template = template
    return made


def _bytes(add_prefix_space: bool) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=MARKS, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)
    return backend


def _pieces(legacy: bool) -> Tokenizer:
    """Llama's: pieces with a mark for the blank; legacy puts one in front of every stretch of text."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=MARKS, show_progress=False)
    if legacy:
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    else:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    backend.train_from_iterator(TEXTS, trainer)
    return backend


def _unigram() -> Tokenizer:
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=MARKS, unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)
    return backend


def _word_pieces() -> Tokenizer:
    backend = Tokenizer(models.WordPiece(unk_token="<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=MARKS, show_progress=False)
    )
    return backend


def _newlines() -> Tokenizer:
    """Tiktoken's rule, as of Llama 3 and Qwen: line ends are joined."""
    backend = _bytes(add_prefix_space=False)
    rule = Regex(r" ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(rule, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return backend


KINDS: dict[str, Callable[[], Any]] = {
    "byte BPE": lambda: _tokenizer(_bytes(False), "<s> $A", PLAIN_TEMPLATE),
    "byte BPE, adds no BOS": lambda: _tokenizer(_bytes(False), None, GLUED_TEMPLATE),
    "byte BPE, blank in front": lambda: _tokenizer(_bytes(True), "<s> $A", INST_TEMPLATE),
    "joined line ends": lambda: _tokenizer(_newlines(), "<s> $A", PLAIN_TEMPLATE),
    "pieces, legacy": lambda: _tokenizer(_pieces(True), "<s> $A", INST_TEMPLATE),
    "pieces": lambda: _tokenizer(_pieces(False), "<s> $A", PLAIN_TEMPLATE),
    "pieces, adds an end": lambda: _tokenizer(_pieces(False), "<s> $A </s>", INST_TEMPLATE),
    "unigram": lambda: _tokenizer(_unigram(), None, GLUED_TEMPLATE),
    "word pieces": lambda: _tokenizer(_word_pieces(), "[CLS] $A [SEP]", INST_TEMPLATE),
    "two in front": lambda: _tokenizer(_bytes(False), "[CLS] <s> $A", PLAIN_TEMPLATE),
    "no BOS at all": lambda: _tokenizer(_bytes(False), None, PLAIN_TEMPLATE, bos_token=None),
}
OTHER_HEADS: dict[str, list[str]] = {
    **{"byte BPE, adds no BOS": [], "unigram": [], "no BOS at all": []},
    **{"word pieces": ["[CLS]"], "two in front": ["[CLS]", "<s>"]},
}
HEADS = {name: OTHER_HEADS.get(name, ["<s>"]) for name in KINDS}
