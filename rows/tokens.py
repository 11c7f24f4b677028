"""What the generator asks of a tokenizer: counts, places of sentences, and an identity."""

import bisect
import copy
import hashlib
import itertools
import json
import operator
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rows.chunks import ANCHOR, BORDER, COMPOUND, COMPOUNDS, LETTER, PIECES, RULES
from rows.encode import encode
from rows.frame import make_frame

# What tokenizers cut differently: cases, digits, blanks, line ends, accents, other scripts.
PROBE = "It's Ünïcode, HTTPServer_v2:  1234567 (3.14)\n\n\tdef f(x): ...  \r\n日本語 ok🙂 a-b "
BLANKS = "\x00\x01"  # marks of ``added_filled``
CACHED_CHUNKS = 500_000
JOINED = 64  # chunks from which on one text is worth while


class TokenCounter:
    """Counts tokens as the suite joins them: no special tokens inside, one BOS in front of all.

    Counting 128K tokens by tokenizing them takes a fifth of a second, and a sample's size is found
    by counting many times. So chunks are tokenized once and their counts added up, where the
    tokenizer is one whose tokens end where chunks end.
    """

    def __init__(self, tokenizer: Any, chat: bool = False) -> None:
        """``tokenizer``: a tokenizer of transformers, fast or slow; ``chat``: in its chat template.

        Raises:
            ValueError: ``chat``, and there is no usable chat template.
        """
        self._tokenizer = tokenizer
        self.frame = make_frame(tokenizer, chat)
        name = str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
        # A folder's place differs from machine to machine; its rows should not.
        self.name = Path(name).resolve().name if Path(name).is_dir() else name
        self.fingerprint = fingerprint(tokenizer)
        self._chunks: dict[str, int] = {}
        self._numbers = [0]
        self._before = {each: len(encode(tokenizer, each)) for each in (ANCHOR, LETTER)}
        self._rule = RULES[0]
        self._counted: tuple[str | None, int] = None, 0  # the last text that was counted
        self._pieces: re.Pattern[str] | None = None
        self.additive = False  # until it is known
        self.additive = self._is_additive()

    def that_counts(self, probe: str) -> "TokenCounter":
        """A counter that is right for texts like ``probe`` too: this one, or one that is not ``additive``."""
        if not self.additive:
            return self
        whole = len(encode(self._tokenizer, ANCHOR + probe)) - self._before[ANCHOR]
        if self.added(probe) == whole:
            return self
        other = copy.copy(self)
        other.additive, other._chunks, other._numbers = False, {}, [0]
        other._counted = None, 0
        return other

    def count(self, text: str) -> int:
        """Tokens of a text that begins a fixed context."""
        if self._counted[0] != text:  # a size search ends with the text that is then written
            self._counted = text, self._count(text)
        return self._counted[1]

    def _count(self, text: str) -> int:
        if not self.additive:
            return self._begin(text)
        first = self._rule.chunk.match(text)
        if first is None:
            return 0
        # Nothing stands before the first chunk, or a template, and some tokenizers add a blank there.
        return self._begin(first[0]) + self.added(text[first.end() :])

    def _begin(self, text: str) -> int:
        return sum(map(len, self.frame.fixed_ids(self._tokenizer, text))) - len(self.frame.head)

    def added(self, text: str) -> int:
        """Tokens of text behind other text, chunk by chunk: exact where ``additive``, else close."""
        chunks = self._rule.chunk.findall(text)
        try:
            return sum(map(self._chunks.__getitem__, chunks))
        except KeyError:
            self._learn(chunks)
            return sum(map(self._chunks.__getitem__, chunks))

    def added_each(self, texts: list[str]) -> list[int]:
        """``added`` of many texts, which is faster than one by one."""
        split = [self._rule.chunk.findall(text) for text in texts]
        self._learn(list(itertools.chain.from_iterable(split)))
        cost = self._chunks.__getitem__
        return [sum(map(cost, chunks)) for chunks in split]

    def added_filled(self, text: str, fillings: Sequence[Sequence[str]]) -> list[int]:
        """``added`` of a text with other words in it each time: faster than of the filled texts.

        ``text`` has the mark ``BLANKS[i]`` where word i of a filling goes; the words hold neither
        blanks nor line ends.
        """
        if not fillings:
            return []
        chunks = self._rule.chunk.findall(text)
        varying = [each for each in chunks if any(mark in each for mark in BLANKS)]
        fixed = self.added("".join(each for each in chunks if each not in varying))
        columns = dict(zip(BLANKS, zip(*fillings, strict=True), strict=False))
        filled = [_filled(chunk, columns, len(fillings)) for chunk in varying]
        self._learn(list(itertools.chain.from_iterable(filled)))
        costs = [fixed] * len(fillings)
        for each in filled:
            costs = list(map(operator.add, costs, map(self._chunks.__getitem__, each)))
        return costs

    def numbered(self, count: int) -> int:
        """``added`` of `` 1.``, `` 2.``, ... up to ``count``."""
        done = len(self._numbers) - 1
        if count > done:
            more = self.added_each([f" {number}." for number in range(done + 1, 2 * count + 1)])
            self._numbers += itertools.accumulate(more, initial=self._numbers.pop())
        return self._numbers[count]

    def user(self, text: str, answer_prefix: str) -> int:
        """Tokens of a user input, without those of a chat template."""
        if self.additive and not self.frame.chat:
            return self.added(text + answer_prefix)
        ids = self.frame.user_ids(self._tokenizer, text, answer_prefix)
        return len(ids) - len(self.frame.tail)

    def spans(self, text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Token ranges [first, after last) of character ranges of ``text``, given in order.

        Where neither chunks nor character offsets can be relied on (a slow tokenizer), the text
        before is counted, which can be off by a token where a token crosses the border.
        """
        if self.additive:
            return self._added_spans(text, pieces)
        if not getattr(self._tokenizer, "is_fast", False):
            return [(self.count(text[:start]), self.count(text[:end])) for start, end in pieces]
        encoded = self._tokenizer(
            text, add_special_tokens=False, verbose=False, return_offsets_mapping=True
        )
        firsts, lasts = zip(*encoded["offset_mapping"], strict=True)
        return [
            (bisect.bisect_right(lasts, start), bisect.bisect_left(firsts, end))
            for start, end in pieces
        ]

    def _added_spans(self, text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
        spans, before, done = [], 0, 0
        for start, end in pieces:
            cut = start - (start > 0 and text[start - 1] == " ")  # chunks begin with their blank
            before += self.added(text[done:cut])
            first = before + self._before_word(text[cut:end])
            spans.append((first, before + self.added(text[cut:end])))
            done = cut
        return spans

    def _before_word(self, text: str) -> int:
        """How many tokens of text hold nothing but its leading blank: 0, or 1 of its own."""
        if not text.startswith(" "):
            return 0
        first = self._rule.chunk.findall(text)[0]
        before = self._rule.before(first)
        encoded = self._tokenizer.backend_tokenizer.encode(before + first, add_special_tokens=False)
        return sum(last <= len(before) + 1 for _, last in encoded.offsets) - self._before[before]

    def _learn(self, chunks: list[str]) -> None:
        """Tokenizes the chunks that were not seen before, all at once."""
        new = set(chunks).difference(self._chunks)
        if not new:
            return
        if len(self._chunks) > CACHED_CHUNKS:
            self._chunks.clear()
            new = set(chunks)
        compounds = self._compounds(new)
        if len(compounds) < len(new):
            self._tokenize(new.difference(compounds))
        if self._pieces is not None and compounds:
            self._add_up(compounds, self._pieces)

    def _add_up(self, compounds: list[str], pieces: re.Pattern[str]) -> None:
        """Costs of compounds from those of their pieces; all in one text, as there are thousands of them."""
        found = pieces.findall(BORDER.join([*compounds, ""]))
        self._chunks[BORDER] = 0
        if unknown := set(found).difference(self._chunks):
            self._tokenize(unknown)
        sums = list(itertools.accumulate(map(self._chunks.__getitem__, found)))
        del self._chunks[BORDER]  # a text may hold that very character
        ends = [sums[place] for place, piece in enumerate(found) if piece == BORDER]
        costs = map(operator.sub, ends, [0, *ends])
        self._chunks.update(zip(compounds, costs, strict=False))

    def _compounds(self, chunks: set[str]) -> list[str]:
        """Those of the chunks that may be cut into pieces."""
        if self._pieces is None or not chunks:
            return []
        plain = list(filter(str.isascii, chunks))
        if COMPOUNDS.fullmatch(BORDER.join(plain)):  # nearly always, and faster than one by one
            return plain
        return [each for each in chunks if COMPOUND.fullmatch(each)]

    def _tokenize(self, new: set[str]) -> None:
        joinable = list(filter(self._rule.joinable, new)) if self.additive else []
        if len(joinable) > JOINED:
            self._chunks.update(zip(joinable, self._counts_joined(joinable), strict=True))
            new.difference_update(joinable)
        befores = {each: self._rule.before(each) for each in new}
        counts = self._counts([before + text for text, before in befores.items()])
        for (text, before), tokens in zip(befores.items(), counts, strict=True):
            self._chunks[text] = tokens - self._before[before]

    def _counts_joined(self, chunks: list[str]) -> list[int]:
        """Tokens of chunks that begin with a blank, from one text: three times as fast."""
        backend = self._tokenizer.backend_tokenizer
        before = self._rule.before(chunks[0])
        encoded = backend.encode(before + "".join(chunks), add_special_tokens=False)
        firsts = [first for first, _ in encoded.offsets]
        ends = itertools.accumulate(map(len, chunks), initial=len(before))
        places = [bisect.bisect_left(firsts, end) for end in ends]
        return [after - before for before, after in itertools.pairwise(places)]

    def _counts(self, texts: list[str]) -> list[int]:
        if getattr(self._tokenizer, "is_fast", False):
            backend = self._tokenizer.backend_tokenizer
            return [
                len(each) for each in backend.encode_batch_fast(texts, add_special_tokens=False)
            ]
        return [len(encode(self._tokenizer, text)) for text in texts]

    def _is_additive(self) -> bool:
        """Whether the tokenizer itself cuts text where chunks end, so that none can span two.

        It must say so: a tokenizer without such a rule may merge across any border.
        """
        if not getattr(self._tokenizer, "is_fast", False):
            return False
        rule = self._tokenizer.backend_tokenizer.pre_tokenizer
        if rule is None or self._tokenizer.backend_tokenizer.padding is not None:
            return False
        for self._rule in RULES:
            probe = self._rule.probe
            cuts = {start for _, (start, _) in rule.pre_tokenize_str(probe)}
            if not self._rule.is_cut_at(self._rule.starts(), cuts):
                continue
            whole = len(encode(self._tokenizer, ANCHOR + probe)) - self._before[ANCHOR]
            for self._pieces in (*PIECES, None):
                self._chunks.clear()
                starts = set() if self._pieces is None else self._rule.piece_starts(self._pieces)
                if self._rule.is_cut_at(starts, cuts) and self.added(probe) == whole:
                    return True
        self._chunks.clear()
        self._rule = RULES[0]
        return False


def _filled(text: str, columns: Mapping[str, Sequence[str]], count: int) -> list[str]:
    """``count`` times a text, with the words of each column where its mark stands."""
    found = [mark for mark in columns if mark in text]
    if len(found) == 1 and text.count(found[0]) == 1:  # nearly always, and then faster
        before, mark, behind = text.partition(found[0])
        return [f"{before}{word}{behind}" for word in columns[mark]]
    texts = [text] * count
    for mark in found:
        texts = [each.replace(mark, word) for each, word in zip(texts, columns[mark], strict=True)]
    return texts


def fingerprint(tokenizer: Any) -> str:
    """16 hex digits that differ between tokenizers that cut text differently.

    Made from the vocabulary and from a probe text's ids, not from the tokenizer's file, so that
    another version of the tokenizer library gives the same digits.
    """
    probe = encode(tokenizer, PROBE)
    content = [sorted(tokenizer.get_vocab().items()), probe, tokenizer.bos_token_id]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
