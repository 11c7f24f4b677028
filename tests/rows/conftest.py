"""Fixtures of the tests of what all data sets share: those of the RULER tests."""

from tests.ruler.conftest import data, hotpotqa, squad, tokenizer, tokenizers

__all__ = ["data", "hotpotqa", "squad", "tokenizer", "tokenizers"]
