"""Which reading of a GGUF file made a model, and that its identity follows."""

import pytest

from rows.gguf import kept, reading
from rows.gguf.header import Header


def header(architecture: str, **values: object) -> Header:
    named = {key.replace("__", "."): value for key, value in values.items()}
    return Header(architecture, named, (), 0)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (header("llama", tokenizer__ggml__model="gpt2", tokenizer__ggml__pre="smollm"), 1),
        (header("llama", tokenizer__ggml__model="gpt2", tokenizer__ggml__pre="llama-bpe"), 2),
        (header("qwen2", tokenizer__ggml__model="gpt2", tokenizer__ggml__pre="qwen2"), 1),
        (header("llama", tokenizer__ggml__model="llama"), 2),
        (header("gemma3", tokenizer__ggml__model="llama", gemma3__block_count=18), 1),
        (header("gemma3", tokenizer__ggml__model="llama", gemma3__block_count=62), 2),
        (header("starcoder2", tokenizer__ggml__model="gpt2", tokenizer__ggml__pre="starcoder"), 2),
    ],
)
def test_the_number_rises_where_a_fault_was_mended(found: Header, wanted: int) -> None:
    assert reading.version(found) == wanted
    origin = kept.Origin(file="a", sha256="0", size=1, reading=reading.version(found))
    # The first is as in all records of before.
    assert origin.fingerprint == f"gguf{wanted}-sha256:0"
