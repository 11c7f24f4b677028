"""How the texts of a GGUF file are cut: as llama.cpp does, or the file is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rows.gguf import kept
from rows.gguf.header import GgufError
from rows.gguf.tokenizer import read_tokenizer
from rows.tokenizer import load_tokenizer

gguf = pytest.importorskip("gguf")
pytest.importorskip("accelerate")

TEXT = "hello 1234\n\n5"
MERGES = ["l l", "1 2", "12 3", "123 4", "Ċ Ċ"]
# "hello" is a token that no merge makes. All as llama.cpp cuts (xllamacpp 2026.10.11549, /tokenize).
IN_THREES = ["<s>", "hello", "Ġ", "123", "4", "ĊĊ", "5"]
DIGITS = ["h", "e", "ll", "o", "Ġ", "1", "2", "3", "4", "ĊĊ", "5"]
CUT = {
    "llama-bpe": IN_THREES,
    "falcon3": IN_THREES,
    "tekken": ["<s>", "hello", "Ġ", "1", "2", "3", "4", "ĊĊ", "5"],
    "smaug-bpe": ["h", "e", "ll", "o", "Ġ", "123", "4", "ĊĊ", "5"],
    "gpt-4o": ["h", "e", "ll", "o", "Ġ", "123", "4", "ĊĊ", "5"],
    "qwen2": DIGITS,
    "stablelm2": DIGITS,
    "hunyuan": DIGITS,
    "smollm": DIGITS,
    "starcoder": DIGITS,
    "deepseek-coder": ["h", "e", "ll", "o", "Ġ", "1", "2", "3", "4", "Ċ", "Ċ", "5"],
    "gpt-2": ["h", "e", "ll", "o", "Ġ", "1234", "Ċ", "Ċ", "5"],
    "olmo": ["h", "e", "ll", "o", "Ġ", "1234", "Ċ", "Ċ", "5"],
}


def write(path: Path, pre: str | None, bos: bool | None = None) -> Path:
    """A GGUF file with a small byte-level vocabulary, and next to no model."""
    from tokenizers.pre_tokenizers import ByteLevel

    made = ["".join(merge.split()) for merge in MERGES]
    tokens = ["<s>", "</s>", *sorted(ByteLevel.alphabet()), *made, "hello"]
    writer = _start(path, "gpt2")
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    if bos is not None:
        writer.add_add_bos_token(bos)
    _end(writer, len(tokens))
    return path


def _start(path: Path, kind: str) -> Any:
    writer = gguf.GGUFWriter(path, "llama")
    for key in ("context_length", "block_count", "embedding_length", "feed_forward_length"):
        writer.add_uint32(f"llama.{key}", 64)
    writer.add_tokenizer_model(kind)
    return writer


def _end(writer: Any, tokens: int) -> None:
    writer.add_tensor("token_embd.weight", np.zeros((tokens, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_sentencepiece(path: Path, prefix: bool | None) -> Path:
    """A GGUF file with a small SentencePiece vocabulary. ``prefix``: a blank before texts; None: not said."""
    made = ["▁", "h", "i", "hi", "▁hi", "▁▁"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *made]
    writer = _start(path, "llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-float(place) for place in range(len(made))])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(made))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    if prefix is not None:
        writer.add_add_space_prefix(prefix)
    _end(writer, len(tokens))
    return path


def pieces(tokenizer: Any) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer.encode(TEXT))


@pytest.mark.parametrize("pre", CUT)
def test_tokens_are_those_of_llama_cpp(tmp_path: Path, pre: str) -> None:
    read = read_tokenizer(write(tmp_path / "a.gguf", pre))
    assert pieces(read) == CUT[pre]
    read.save_pretrained(tmp_path / "kept")  # as a converted model keeps it
    assert pieces(load_tokenizer(str(tmp_path / "kept"), chat=True)) == CUT[pre]


def test_the_file_has_the_last_word_on_bos(tmp_path: Path) -> None:
    read = read_tokenizer(write(tmp_path / "a.gguf", "llama-bpe", bos=False))
    assert pieces(read) == IN_THREES[1:]


@pytest.mark.parametrize(
    ("pre", "told"),
    [("deepseek-llm", "called 'deepseek-llm'"), (None, "does not say by what rules")],
)
def test_rules_that_nobody_knows_are_refused(tmp_path: Path, pre: str | None, told: str) -> None:
    """transformers would cut as GPT-2 does, without a word."""
    with pytest.raises(GgufError, match=told):
        read_tokenizer(write(tmp_path / "a.gguf", pre))


def test_a_tokenizer_that_was_kept_with_other_tokens_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQUEEZED_MODELS", str(tmp_path / "models"))
    path = write(tmp_path / "a.gguf", "llama-bpe")
    found = kept.Origin(file=path.name, sha256=kept.sha256_of(path), size=path.stat().st_size)
    folder = kept.folder_of(found.sha256)
    former = read_tokenizer(write(tmp_path / "b.gguf", "gpt-2"))
    former.save_pretrained(folder)
    kept.write_origin(folder, found)
    assert pieces(load_tokenizer(str(path))) == IN_THREES
