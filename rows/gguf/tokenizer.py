"""The tokenizer of a GGUF file, as transformers builds it, with what it gets wrong put right."""

import json
from pathlib import Path
from typing import Any

from rows.gguf import pre_tokenizer
from rows.gguf.header import GgufError, read_header


def read_tokenizer(path: Path) -> Any:
    """Builds the tokenizer of a GGUF file.

    Raises:
        GgufError, FileNotFoundError: as ``read_header``, or the tokenizer is of a kind that transformers
            does not read, or cuts texts by rules that nothing here knows.
    """
    values = read_header(path).values
    from transformers import AutoTokenizer  # takes seconds

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path.absolute().parent), gguf_file=path.name)
    except Exception as error:  # of any kind, by what the file lacks
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise GgufError(f"{path}: no tokenizer can be read from it: {reason[0]}") from error
    _drop_foreign_tokens(tokenizer, values.get("tokenizer.ggml.tokens", 0))
    try:
        pre_tokenizer.put_right(tokenizer, values)
    except ValueError as error:
        raise GgufError(f"{path}: {error}") from None
    return tokenizer


def _drop_foreign_tokens(tokenizer: Any, count: int) -> None:
    """Takes out tokens that the file does not have.

    transformers 5.23 builds every byte-level tokenizer as GPT-2's, which adds its ``<|endoftext|>`` behind a
    vocabulary that lacks it: an id that the model has no row for, whenever a text holds these letters.
    """
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    own = [each for each in state["added_tokens"] if each["id"] < count]
    if len(own) < len(state["added_tokens"]):
        changed = Tokenizer.from_str(json.dumps({**state, "added_tokens": own}))
        tokenizer._tokenizer = changed  # tokens can be added to one, never taken away
