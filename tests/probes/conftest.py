"""Tokenizers to count with: the embedded one, and one whose tokens are bytes."""

from typing import Any

import pytest

from rows.tokenizer import load_tokenizer


class Bytes:
    """A slow tokenizer without rules of its own: every byte is a token."""

    bos_token = eos_token = pad_token = None
    bos_token_id = None
    chat_template = None
    all_special_ids: tuple[int, ...] = ()
    name_or_path = "bytes"

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": list(text.encode())}

    def get_vocab(self) -> dict[str, int]:
        return {f"<{number}>": number for number in range(256)}


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return load_tokenizer("mini")


@pytest.fixture(scope="session")
def bytes_tokenizer() -> Any:
    return Bytes()
