"""What the generator asks of a tokenizer: counts, places of sentences, and an identity."""

import bisect
import hashlib
import json
from pathlib import Path
from typing import Any

# What tokenizers cut differently: cases, digits, blanks, line ends, accents, other scripts.
PROBE = "It's Ünïcode, HTTPServer_v2:  1234567 (3.14)\n\n\tdef f(x): ...  \r\n日本語 ok🙂 a-b "


class TokenCounter:
    """Counts tokens as the suite joins them: no special tokens inside, one BOS in front of all."""

    def __init__(self, tokenizer: Any) -> None:
        """``tokenizer``: a tokenizer of transformers, fast or slow."""
        self._tokenizer = tokenizer
        self.bos = 0 if tokenizer.bos_token_id is None else 1
        name = str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
        # A folder's place differs from machine to machine; its rows should not.
        self.name = Path(name).resolve().name if Path(name).is_dir() else name
        self.fingerprint = fingerprint(tokenizer)

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._encode(text)["input_ids"])

    def spans(self, text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Token ranges [first, after last) of character ranges of ``text``.

        A tokenizer without character offsets (a slow one) is asked for the length of the text
        before, which can be off by a token where a token crosses the border.
        """
        if not getattr(self._tokenizer, "is_fast", False):
            return [(self.count(text[:start]), self.count(text[:end])) for start, end in pieces]
        offsets = self._encode(text, return_offsets_mapping=True)["offset_mapping"]
        firsts, lasts = [first for first, _ in offsets], [last for _, last in offsets]
        return [
            (bisect.bisect_right(lasts, start), bisect.bisect_left(firsts, end))
            for start, end in pieces
        ]

    def _encode(self, text: str, **options: bool) -> Any:
        # verbose=False: a text beyond the model's own length is no mistake here, so no warning.
        return self._tokenizer(text, add_special_tokens=False, verbose=False, **options)


def fingerprint(tokenizer: Any) -> str:
    """16 hex digits that differ between tokenizers that cut text differently.

    Made from the vocabulary and from a probe text's ids, not from the tokenizer's file, so that
    another version of the tokenizer library gives the same digits.
    """
    probe = tokenizer(PROBE, add_special_tokens=False, verbose=False)["input_ids"]
    content = [sorted(tokenizer.get_vocab().items()), list(probe), tokenizer.bos_token_id]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
