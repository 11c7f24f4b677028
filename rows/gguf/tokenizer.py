"""The tokenizer of a GGUF file, as transformers builds it, with what it leaves out put right."""

from pathlib import Path
from typing import Any

from rows.gguf.header import GgufError, read_header

# Vocabularies whose texts were cut into single digits before anything else. llama.cpp knows them by these
# names (tokenizer.ggml.pre); transformers 5.23 does not, and cuts as GPT-2 does, so that blanks and line
# ends before a digit become other tokens.
SINGLE_DIGITS = frozenset(
    {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
)


def read_tokenizer(path: Path) -> Any:
    """Builds the tokenizer of a GGUF file.

    Raises:
        GgufError, FileNotFoundError: as ``read_header``, or the tokenizer is of a kind that transformers
            does not read.
    """
    values = read_header(path).values
    from transformers import AutoTokenizer  # takes seconds

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path.absolute().parent), gguf_file=path.name)
    except Exception as error:  # of any kind, by what the file lacks
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise GgufError(f"{path}: no tokenizer can be read from it: {reason[0]}") from error
    if values.get("tokenizer.ggml.pre") in SINGLE_DIGITS:
        from tokenizers import pre_tokenizers

        backend = tokenizer.backend_tokenizer
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), backend.pre_tokenizer]
        )
    return tokenizer
