"""Fixtures of the tests of what all data sets share: the tokenizers of the RULER tests."""

from tests.ruler.conftest import tokenizer, tokenizers

__all__ = ["tokenizer", "tokenizers"]
