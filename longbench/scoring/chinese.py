"""Chinese words: jieba in its accurate mode, quietly."""

import functools
import logging
from typing import Any

from rows.extras import missing


def words(text: str) -> list[str]:
    """The words of a Chinese text; their concatenation is the text."""
    return list(_cutter().cut(text, cut_all=False))


@functools.cache
def _cutter() -> Any:
    try:
        import jieba  # late: its dictionary takes a second to load
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(missing(error) or str(error), name=error.name) from error
    jieba.setLogLevel(logging.WARNING)
    # Of its own, so that user dictionaries that another package loads do not change scores.
    return jieba.Tokenizer()
