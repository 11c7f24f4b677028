"""Whether a sentence is one that can be asked about: prose, not code, grammar or a line of contents."""

import re
from functools import lru_cache

from prefixqa.extractive.code import without_names
from prefixqa.extractive.months import MONTHS

_CODE = re.compile(
    r"[{}\\|^~`@]|[<=>]{1,3}|\w[_/]\w|\$\w|::|--\w|\w\(\)|\(\)|&\w|\w\.\w+\(|#|:/|\w\((?!e?s\)|"
    r"\d)\w+(?:,\w+)*\)|\b\d+ [a-z]+ \d+\.\d|;\s*$|\.\.|\u2026|\*\w|/\*|\*/|[a-z]- (?!and\b|or\b|"
    r"to\b)[A-Za-z]|No- |"
    r"(?:^|\s)-\w+ [A-Z]|\b[a-z]{1,2} \d+(?:\.\d+)? [a-z]{1,2} \d|\d \d"
)
_JOINED = re.compile(
    r"(?!\betc)[a-z)]{3,}\. [a-z]|\d\. [a-z]|\w \.\w|[\u2190-\u22ff\u27e8\u27e9\u2022]|"
    r" [-*\u2013] [A-Z]|[.)] \([a-z\d]\) |[:.] \(?\d{1,2}\)?\.$|\b(?:CHAPTER|Chapter) \d+\.?$|"
    r"^[A-Z][\w-]* (?:The|This|These|If|It|In|You|When|For) |"
    # a heading, or the number of a footnote or a page, in front of a sentence
    r"[a-z] (?:If|The|This|It|In|When|You|For|To|These|We|They|As|There|However|And|But|An) [a-z]|"
    r"[a-z] (?:Each|Every|All|Some|Many|Note|By|With|On|At|Once|After|Before|While|Although|Since|"
    r"Because|Use|This|The) [A-Za-z]|"
    r"[a-z.] (?!(?:" + MONTHS + r"))\d{1,3} [A-Z][a-z]+,? [a-z]|[a-z]{2}\.\d{1,3} [A-Z]|"
    r"[a-z]{3}(?: \d{1,3})? (?:[A-Z][a-z]+ )?\d+\.\d+(?:\.\d+)* [A-Z][a-z]+ [a-z]|"
    r"\b(?:CHAPTER|APPENDIX|SECTION|CONTENTS)\b"
)
_LEADERS = re.compile(r"\.{3,}|(?:\. ){2,}\.")
_POINTS_ELSEWHERE = re.compile(
    r"\b(?:as follows|(?:the|into|these|with) following|as (?:you|we) (?:can )?(?:see|saw)|"
    r"see (?:also )?(?:section|chapter|figure|table|above|below)|(?:shown|described|discussed|"
    r"listed|mentioned|given|defined|noted|explained|see|seen|"
    r"sections?|stated|outlined) "
    r"(?:here |there )?(?:above|below|earlier|later|previously)|(?:above|below|next|previous|last|"
    r"following|first|second|third|latter) "
    r"(?:examples?|figures?|tables?|sections?|chapters?|paragraphs?|lines?|columns?)|"
    r"(?:examples?|figures?|tables?|sections?|chapters?|paragraphs?|lines?) (?:above|below|\d+)|"
    r"here|[Ii]n the examples?|[Ss]ections? (?:[A-Z]\.)?\d[\d.]*|(?:this|the) (?:term|word|usage|"
    r"entry|sense|phrase|expression)|(?:above|below)(?! (?:the|an?|all|it|which|zero|\d))|(?:this|"
    r"these|our|present) (?:examples?|figure|table|section|chapter|page|document|manual|"
    r"tutorial|faq|guide|report|case))\b|^(?:See|Refer to|Please (?:see|refer|read)|For (?:more|"
    r"further|details|additional)|"
    r"More (?:information|details|examples))\b",
    re.IGNORECASE,
)
# Where a reference, a link or a formula stood that the text has lost: "refer to for", "read by A".
_HOLE = re.compile(
    r"\b(?:to|in|of|see|from|with|the|a|an) (?:for|or|and|by|of|in|,|is|are)\b(?! and\b)|"
    r"\b(?:should|to|can) (?:read|see|consult) by\b|\b(?:see|the|of|with) [,.;)]|"
    r"\b(?:described|listed|given|shown|explained|found|discussed|defined|documented) (?:in|by|"
    r"at) ?[,;.)]|"
    r"\b(?:Sections?|Chapters?|Figures?|Fig\.|Tables?|Appendix) ?[.,;)]|\bsecs?\. ?[.,;)a-z]|"
    r"\( ?\)|"
    r"[(\[] ?[,;]|"
    r"[\w)] [,;.](?: |$)|\b(?:the|an|of|to|with|and|or|by)[.;:)](?: |$)"
)
_FRAGMENT = re.compile(
    r"^Of an? |^(?:Similar|Same|Equivalent|Identical|Alias|Short|Also of|Like) (?:to|as|for|"
    r"interest)\b|^(?:(?:Especially|Often|Also|Usually|Commonly|Sometimes) )?(?:used|said|applied|"
    r"derived|named|"
    r"described|spoken|coined|references?|abbreviations?|acronym|contraction|variants?|synonyms?)\b",
    re.IGNORECASE,
)
# A verb, or a list of keys, in place of who does it.
_NO_SUBJECT = re.compile(
    r"(?!Sometimes|Perhaps|Besides|Across|Towards|Unless|Always|Afterwards|Plus|Less|Versus|Users|"
    r"Lots)"
    r"[A-Z][a-z]{2,}s (?:an?|the|all|any|each|every|if|whether|how)\b|(?:[A-Z]{2,} ){2,}[A-Z]"
)
# A word of a dictionary's entry, which goes on without its subject.
_ENTRY = re.compile(
    r"(?:Comes|Refers|Means|Denotes|Describes|Implies|Indicates|Produces|Occurs|Originates)\b"
)
# "Parsing the value at startup." and its like have no verb that says something.
_UNFINISHED = re.compile(r"[A-Z][a-z]+(?:ing|ed)\b")
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|be|has|have|had|do|does|did|can|could|may|might|must|should|will|would|"
    r"cannot|isn't|aren't|don't|doesn't|can't|won't)\b"
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
LONGEST = 400  # characters; rules do not search longer ones, which would take time by their square
MIN_LETTERS = 0.78  # share of letters among the characters that are no blanks
# Share of words that begin with a capital or are none: names, headings, lists of keys.
MAX_CAPITALS = 0.45


@lru_cache(maxsize=1024)  # every rule asks about one sentence
def flaw(sentence: str) -> str | None:
    """Why a sentence is no prose to ask about; None if nothing speaks against it."""
    plain = without_names(sentence)
    if plain is None:
        return "too many names of code in the sentence"
    words = plain.split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS or len(sentence) > LONGEST:
        return "a sentence too short or too long to ask about"
    if not re.match(r"(?:[\"'(\u00ab]?[A-Z\u00c0-\u00de]|name [a-z])", plain) or not re.search(
        r"[.!][\"')\u00bb]*$", plain
    ):
        return "no whole sentence"
    if _FRAGMENT.match(plain) or _NO_SUBJECT.match(plain) or _ENTRY.match(plain):
        return "no whole sentence"
    if _UNFINISHED.match(plain) and not _AUXILIARY.search(plain):
        return "no whole sentence"
    if _LEADERS.search(plain):
        return "a line of contents"
    if _CODE.search(plain):
        return "code, grammar or names of files in the sentence"
    if _JOINED.search(plain):
        return "two sentences, or a part of one"
    if _HOLE.search(plain):
        return "a word is missing from the sentence"
    if _POINTS_ELSEWHERE.search(plain):
        return "the sentence points to another place"
    visible = [each for each in plain if not each.isspace()]
    if sum(each.isalpha() for each in visible) < MIN_LETTERS * len(visible):
        return "too few letters for prose"
    if sum(not word[:1].islower() for word in words) > MAX_CAPITALS * len(words):
        return "mostly names or numbers"
    if (
        sentence.isascii()
        and len(_SMALL.intersection(word.lower().strip(",.;:()") for word in words)) < 2
    ):
        return "no running text"
    if (
        sentence.count("(") != sentence.count(")")
        or sentence.count("[") != sentence.count("]")
        or sentence.count('"') % 2
    ):
        return "brackets or quotes that do not close"
    return None
