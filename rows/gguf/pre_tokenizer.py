"""How texts are cut and marked before tokens are made of them, as a GGUF file asks.

A byte-level vocabulary was learnt on pieces that some rules had cut. A GGUF file names these rules only
(``tokenizer.ggml.pre``); what they are stands in llama.cpp. transformers 5.23 knows some of the names. For
all others it cuts as GPT-2 does, without a word, and the model then reads other tokens than it was trained
on. A SentencePiece vocabulary has blanks as signs of its own, and where they are put is a setting of the
file. All was compared with llama.cpp (xllamacpp 2026.10.11549) on tokens.
"""

from typing import Any

# Cut as GPT-2 does, which is what transformers does for a name that it does not know.
_GPT2 = frozenset(
    [
        "gpt-2",
        "phi-2",
        "mpt",
        "olmo",
        "jais",
        "trillion",
        "granite-docling",
        "gigachat",
        "a.x-4.0",
        "mellum",
        "exaone4",
    ]
)
# Single digits first, then as GPT-2.
_DIGITS = frozenset(
    ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"]
)
# As Qwen2, under names that transformers does not know.
_QWEN2 = frozenset(["stablelm2", "hunyuan"])
_QWEN2_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# DeepSeek-Coder: one rule after another, each on what the former ones left.
_DEEPSEEK_CODER = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\ud7ff]+", r"\p{N}")
# A piece that is a token as a whole is that token, whatever the merges would make of it; and texts begin
# with BOS where the file does not say otherwise. transformers does neither.
WHOLE_PIECES = frozenset(
    [
        "llama3",
        "llama-v3",
        "llama-bpe",
        "falcon3",
        "falcon-h1",
        "pixtral",
        "midm-2.0",
        "lfm2",
        "jina-v5-nano",
        "tekken",
    ]
)


def put_right(tokenizer: Any, values: dict[str, Any]) -> None:
    """Makes a tokenizer cut as the file asks, where transformers does not know how.

    Args:
        tokenizer: as transformers built it from the file; changed in place.
        values: the file's metadata.

    Raises:
        ValueError: the file gives no name, or one that neither transformers nor this table knows.
    """
    if values.get("tokenizer.ggml.model") == "llama":
        _mark_blanks(
            tokenizer.backend_tokenizer, values.get("tokenizer.ggml.add_space_prefix", True)
        )
    if values.get("tokenizer.ggml.model") != "gpt2":
        return
    backend, name = tokenizer.backend_tokenizer, values.get("tokenizer.ggml.pre")
    if (steps := _steps(name)) is not None:
        from tokenizers import pre_tokenizers

        backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    elif name not in _GPT2 and _cuts_as_gpt2(backend):
        raise ValueError(_reason(name))
    if name in WHOLE_PIECES:
        backend.model.ignore_merges = True
        if "tokenizer.ggml.add_bos_token" not in values:
            tokenizer.add_bos_token = True


def was_mended(values: dict[str, Any], architecture: str) -> bool:
    """Whether this suite once made other tokens of such a file's texts, as transformers does."""
    name, kind = values.get("tokenizer.ggml.pre"), values.get("tokenizer.ggml.model")
    if kind == "gpt2":
        return name in WHOLE_PIECES | _QWEN2 | {"deepseek-coder"}
    return kind == "llama" and not architecture.startswith(("gemma", "phi3"))


def _mark_blanks(backend: Any, prefix: bool) -> None:
    """Writes blanks as SentencePiece does, with one more before each text and behind each special token.

    transformers puts that one there whatever the file says, not before a text that begins with a blank, and
    not behind special tokens. What it makes of Gemma and Phi-3 is made otherwise, and as it should be.
    """
    from tokenizers import decoders, normalizers, pre_tokenizers

    if not isinstance(backend.pre_tokenizer, pre_tokenizers.Metaspace):
        return
    before = [normalizers.Prepend("▁")] if prefix else []
    backend.pre_tokenizer = None
    backend.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", "▁")])
    behind = [decoders.Strip(content=" ", left=1)] if prefix else []
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *behind]
    )


def _steps(name: Any) -> list[Any] | None:
    """The rules that transformers lacks, as ``tokenizers`` has them; None where it needs none of ours."""
    from tokenizers import Regex, pre_tokenizers

    def isolated(pattern: str) -> Any:
        return pre_tokenizers.Split(Regex(pattern), behavior="isolated")

    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if name in _DIGITS:
        as_gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return [pre_tokenizers.Digits(individual_digits=True), as_gpt2]
    if name in _QWEN2:
        return [isolated(_QWEN2_PIECES), bytes_only]
    if name == "deepseek-coder":
        return [*map(isolated, _DEEPSEEK_CODER), bytes_only]
    return None


def _cuts_as_gpt2(backend: Any) -> bool:
    from tokenizers import pre_tokenizers

    return isinstance(backend.pre_tokenizer, pre_tokenizers.ByteLevel)


def _reason(name: Any) -> str:
    if not name:
        return (
            "it does not say by what rules its texts are cut before tokens are made (tokenizer.ggml.pre), as "
            "files of before May 2024 do not, so its tokens would be others; convert the model anew, or use "
            "the checkpoint as a folder"
        )
    return (
        f"its texts are cut by the rules called {name!r} before tokens are made, which transformers does not "
        "know, so its tokens would be others; use the checkpoint as a folder"
    )
