"""Whether a sentence is one that can be asked about: prose, not code, grammar or a line of contents."""

import re
from functools import lru_cache

_CODE = re.compile(
    r"[{}\\|^~`@]|[<=>]{1,3}|\w[_/]\w|\$\w|::|--\w|\w\(\)|\(\)|&\w|\w\.\w+\(|#\w|;\s*$|\.\.|\u2026|\*\w"
)
_JOINED = re.compile(r"(?!\betc)[a-z)]{3,}\. [a-z]|\w \.\w|[\u2190-\u22ff\u27e8\u27e9\u2022]")
_LEADERS = re.compile(r"\.{3,}|(?:\. ){2,}\.")
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:as follows|the following|"
    r"see (?:also )?(?:section|chapter|figure|table|above|below)|shown (?:above|below)|"
    r"(?:above|below|next|previous|last|following) (?:example|figure|table|section|chapter|paragraph)|"
    r"(?:example|figure|table|section|chapter|paragraph) (?:above|below)|"
    r"this (?:example|figure|table|section|chapter|page|document|manual))\b",
    re.IGNORECASE,
)
# Where a reference, a link or a formula stood that the text has lost: "refer to for", "read by A".
_HOLE = re.compile(
    r"\b(?:to|in|of|see|from|with|the|a|an) (?:for|or|and|by|of|in|,|is|are)\b(?! and\b)|"
    r"\b(?:should|to|can) (?:read|see|consult) by\b|\b(?:see|the|of|with) [,.;)]"
)
# What hardly a sentence of prose is without, in languages that this is asked of.
_SMALL = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "in",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "it",
        "its",
        "that",
        "this",
        "these",
        "for",
        "on",
        "with",
        "as",
        "by",
        "at",
        "from",
        "or",
        "and",
        "not",
        "can",
        "will",
        "which",
        "when",
        "if",
        "has",
        "have",
        "had",
        "they",
        "their",
        "you",
        "your",
        "we",
        "he",
        "she",
        "his",
        "her",
        "but",
        "into",
        "than",
        "then",
        "there",
    ]
)
MIN_WORDS, MAX_WORDS = 7, 45
MIN_LETTERS = 0.78  # share of letters among the characters that are no blanks
MAX_CAPITALS = (
    0.45  # share of words that begin with a capital or are none: names, headings, lists of keys
)


@lru_cache(maxsize=1024)  # every rule asks about one sentence
def flaw(sentence: str) -> str | None:
    """Why a sentence is no prose to ask about; None if nothing speaks against it."""
    words = sentence.split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS or len(sentence) > 400:
        return "a sentence too short or too long to ask about"
    if not re.match(r"[\"'(\u00ab]?[A-Z\u00c0-\u00de]", sentence) or not re.search(
        r"[.!?][\"')\u00bb]*$", sentence
    ):
        return "no whole sentence"
    if _LEADERS.search(sentence):
        return "a line of contents"
    if _CODE.search(sentence):
        return "code, grammar or names of files in the sentence"
    if _JOINED.search(sentence):
        return "two sentences, or a part of one"
    if _HOLE.search(sentence):
        return "a word is missing from the sentence"
    if _POINTS_ELSEWHERE.search(sentence):
        return "the sentence points to another place"
    visible = [each for each in sentence if not each.isspace()]
    if sum(each.isalpha() for each in visible) < MIN_LETTERS * len(visible):
        return "too few letters for prose"
    if sum(not word[:1].islower() for word in words) > MAX_CAPITALS * len(words):
        return "mostly names or numbers"
    if (
        sentence.isascii()
        and len(_SMALL.intersection(word.lower().strip(",.;:()") for word in words)) < 2
    ):
        return "no running text"
    if sentence.count("(") != sentence.count(")") or sentence.count('"') % 2:
        return "brackets or quotes that do not close"
    return None
