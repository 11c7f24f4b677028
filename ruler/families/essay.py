"""The essay haystack: running text from a local file, cut into words and sentences."""

import bisect
import copy
import hashlib
import itertools
import json
import re
from pathlib import Path

from rows.tokens import TokenCounter

# A sentence ends at . ! or ? (with closing quotes or brackets) before a blank.
_SENTENCE_END = re.compile(r"""(?<=[.!?])["'\u201d\u2019)\]]*\s+""")

COUNTED = 4096  # words that are counted at a time, or more


class Essay:
    """A corpus to cut haystacks from. It starts again from its first word when it runs out."""

    def __init__(self, text: str) -> None:
        """``text``: the corpus; white space is collapsed.

        Raises:
            ValueError: the text holds no word.
        """
        text = " ".join(text.split())
        if not text:
            raise ValueError("the essay text is empty")
        self.fingerprint = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self._take([sentence.split(" ") for sentence in _split_sentences(text)])

    def _take(self, sentences: list[list[str]]) -> None:
        self._sentences = sentences
        self._ends = list(itertools.accumulate(len(sentence) for sentence in sentences))
        self._tokens: dict[str, list[int]] = {}  # by tokenizer, of its first 0, 1, 2... words

    def begun_at(self, share: float) -> "Essay":
        """The corpus from another sentence on, and then from its start.

        Args:
            share: of the sentences that are in front of it, in [0, 1).
        """
        first = int(share * len(self._sentences))
        other = copy.copy(self)
        other._take(self._sentences[first:] + self._sentences[:first])
        return other

    def tokens(self, words: int, counter: TokenCounter) -> int:
        """Tokens of the first ``words`` words, each with a blank before it."""
        rounds, rest = divmod(words, self._ends[-1])
        if not rounds:
            return self._sums(rest, counter)[rest]
        sums = self._sums(self._ends[-1], counter)
        return rounds * sums[-1] + sums[rest]

    def _sums(self, words: int, counter: TokenCounter) -> list[int]:
        """Tokens of the first 0, 1, 2... words, at least up to ``words``: counted as they are needed."""
        sums = self._tokens.setdefault(counter.fingerprint, [0])
        if (done := len(sums) - 1) < words:
            most = min(max(words, 2 * done, COUNTED), self._ends[-1])
            first, last = (bisect.bisect_right(self._ends, end) for end in (done, most))
            before = self._ends[first - 1] if first else 0
            texts = [f" {word}" for found in self._sentences[first : last + 1] for word in found]
            costs = counter.added_each(texts[done - before : most - before])
            sums += itertools.accumulate(costs, initial=sums.pop())
        return sums

    @classmethod
    def load(cls, path: str | Path) -> "Essay":
        """Reads a ``.txt`` file, or a ``.json`` file with one object ``{"text": ...}``.

        Raises:
            FileNotFoundError: no such file.
            ValueError: another ending, no UTF-8, no such JSON object, or no text in it.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"essays: no file {path}")
        if path.suffix not in (".txt", ".json"):
            raise ValueError(f"essays: {path} ends with {path.suffix!r}; expected .txt or .json")
        try:
            text = path.read_text(encoding="utf-8")
            if path.suffix == ".json":
                text = _text_field(json.loads(text))
            return cls(text)
        except ValueError as error:  # covers bad JSON, bad UTF-8 and an empty text
            raise ValueError(f"essays: cannot use {path}: {error}") from error

    def word(self, index: int) -> str:
        """The word of that index."""
        index %= self._ends[-1]
        sentence = bisect.bisect_right(self._ends, index)
        return self._sentences[sentence][index - (self._ends[sentence - 1] if sentence else 0)]

    def sentence_count(self, words: int) -> int:
        """How many ``sentences`` there are."""
        rounds, rest = divmod(words, self._ends[-1])
        whole = bisect.bisect_right(self._ends, rest)
        cut = rest > (self._ends[whole - 1] if whole else 0)
        return rounds * len(self._sentences) + whole + cut

    def sentences(self, words: int) -> list[str]:
        """The sentences of the first ``words`` words; the last sentence may be cut."""
        rounds, rest = divmod(words, self._ends[-1])
        whole = bisect.bisect_right(self._ends, rest)
        cut = rest - (self._ends[whole - 1] if whole else 0)
        parts = self._sentences * rounds + self._sentences[:whole]
        if cut:
            parts = [*parts, self._sentences[whole][:cut]]
        return [" ".join(part) for part in parts]


def _split_sentences(text: str) -> list[str]:
    sentences, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        sentences.append(text[start : end.end()].rstrip())
        start = end.end()
    return [sentence for sentence in [*sentences, text[start:]] if sentence]


def _text_field(content: object) -> str:
    if not isinstance(content, dict) or not isinstance(content.get("text"), str):
        raise ValueError('expected a JSON object with a string under "text"')
    return content["text"]
