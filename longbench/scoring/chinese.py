"""Chinese words: jieba in its accurate mode, quietly."""

import functools
import logging
from typing import Any


def words(text: str) -> list[str]:
    """The words of a Chinese text; their concatenation is the text."""
    return list(_cutter().cut(text, cut_all=False))


@functools.cache
def _cutter() -> Any:
    import jieba  # late: its dictionary takes a second to load

    jieba.setLogLevel(logging.WARNING)
    # Of its own, so that user dictionaries that another package loads do not change scores.
    return jieba.Tokenizer()
