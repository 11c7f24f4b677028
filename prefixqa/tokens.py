"""Lengths of texts in tokens of one tokenizer."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from rows.encode import LINE_END, follow
from rows.frame import make_frame
from rows.tokens import fingerprint


class TokenCounter:
    """Counts tokens as the suite joins them: no special tokens inside, one BOS in front of all.

    Attributes:
        bos: tokens that the tokenizer puts in front of a text, such as a BOS.
        name: of its folder or hub id. fingerprint: differs between tokenizers that cut differently.
    """

    def __init__(self, tokenizer: Any) -> None:
        """``tokenizer``: a tokenizer of transformers, fast or slow."""
        self._tokenizer = tokenizer
        self.bos = len(make_frame(tokenizer))
        name = str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
        # A folder's place differs from machine to machine; its rows should not.
        self.name = Path(name).resolve().name if Path(name).is_dir() else name
        self.fingerprint = fingerprint(tokenizer)
        # Short pieces are counted again and again while a document is fitted to its length.
        self._short = lru_cache(maxsize=100_000)(self._exact)

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return self._short(text) if len(text) < 400 else self._exact(text)

    def behind(self, text: str) -> int:
        """Tokens of a text that stands behind a line end."""
        return len(follow(self._tokenizer, LINE_END, text))

    def _exact(self, text: str) -> int:
        # verbose=False: a text beyond the model's own length is no mistake here, so no warning.
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
