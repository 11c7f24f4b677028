"""Numbers of a sentence: with their unit, as a date or a range; and which of them tell nothing."""

import re
from collections.abc import Iterator

from prefixqa.extractive.candidate import Candidate, completion
from prefixqa.extractive.months import MONTHS
from prefixqa.sentences import Sentence

_MONTH = f"(?:{MONTHS})"
# Words that end in "s" and are nothing that is counted.
_NO_PLURAL = (
    r"(?!(?:ones|others|prevents|causes|enables|lets|helps|keeps|ends|begins|stops|fails|exits|"
    r"denotes|is|was|has|does|this|its|as|us|thus|plus|holds|supports|defines|means|gives|takes|"
    r"uses|"
    r"needs|comes|becomes|makes|allows|contains|requires|provides|represents|specifies|indicates|"
    r"adds|sets|"
    r"returns|shows|always|perhaps|besides|unless|less|across|versus|minus|starts|works|says|runs|"
    r"introduces|refers|corresponds|applies|follows|goes|gets|includes|describes|leads|appears|"
    r"tells)\b)"
)
_UNIT = (
    r"(?:percent|dpi|metres|meters|feet|inch|inches|cm|mm|km|kg|ms|pt|Hz|kHz|MHz|GHz|KB|MB|GB|TB|"
    r"kB|"
    r"MiB|GiB|KiB|million|billion|thousand|" + _NO_PLURAL + r"[a-z]{2,13}s)\b"
)
# What is numbered by the number behind it, so that the word behind that is not counted.
_IDENTIFIER = (
    r"(?:versions?|process|line|ports?|levels?|runlevels?|values?|type|step|columns?|rows?|"
    r"numbers?|"
    r"options?|mode|protocol|revision|release|bit|signal|code|status|layer|class|grade|rule|phase|"
    r"group|of)"
)
_NUMBER = re.compile(
    rf"(?<![\w.,/-])(?P<value>{_MONTH} \d{{1,2}}(?:, \d{{4}})?(?!\d)|"
    rf"\d{{1,2}} {_MONTH}(?: \d{{4}})?|"
    r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?: to [-+]?\d+(?:\.\d+)?)?(?: ?%| " + _UNIT + r")?)"
    r"(?![\w/]|[.,]\d)"
)
# In front of such a word a number is either a whole one, or the text lost something.
_SMALL_WORD = re.compile(
    r"^ (?:they|it|we|you|he|she|the|this|these|an?|if|when|unless|because|but|which|that|while|"
    r"where|so)\b"
)
_BEFORE = re.compile(
    r"\b(?:in|by|of|since|until|till|from|to|than|after|before|at|is|are|was|be|about|around|with|"
    r"for|as|" + _IDENTIFIER[3:-1] + r"|" + _MONTH + r") $|=$"
)
_NUMBERED = re.compile(
    r"\b(?:sections?|chapters?|figures?|figs?\.|tables?|pages?|appendix|parts?|steps?|examples?|"
    r"equations?|eqs?\.|"
    r"items?|senses?|notes?|lines?|RFC|footnotes?|lemmas?|theorems?|phase|volumes?|vol\.|No\.|"
    r"pp?\.|"
    r"annex|rules?|bugs?)"
    r"(?:[\s\d.,()]|and|or|to)*$|"
    r"\b(?:listed|described|defined|discussed|shown|given|specified|explained|outlined|see|found) in $",
    re.IGNORECASE,
)


def numbers(sentence: Sentence) -> Iterator[Candidate]:
    """Numbers with the word behind them, ranges and dates whole."""
    text = sentence.text
    for found in _NUMBER.finditer(text):
        start, end = found.span("value")
        counted = re.search(r" [A-Za-z]+$", found["value"])
        if counted and re.search(rf"\b{_IDENTIFIER} $", text[:start]):
            end -= len(counted[0])
        yield completion("numeric", sentence, start, end)


def poor_number(candidate: Candidate) -> str | None:
    """Why a number is no good answer; None if nothing speaks against it."""
    left, right, answer = candidate.left, candidate.right, candidate.answer
    digits = re.sub(r"\D", "", answer)
    if _NUMBERED.search(left):
        return "the number of a part of the document"
    if re.fullmatch(r"(?:1[89]|20)\d\d", answer) and re.search(
        rf"(?!{_MONTH})\b[A-Z][\w-]+,? \(?$|et al\.?,? \(?$|; $", left
    ):
        return "the year of a citation"
    titled = re.match(r' "[A-Z]', right) and re.search(r", $|[A-Za-z] $", left)
    if titled and " " not in answer:
        return "the number of a part of the document"
    if re.match(r"\)?,? ?(?:man|manual) page", right) or (
        right.startswith(")") and re.search(r"[\w/] ?\($", left)
    ):
        return "the section of a manual page"
    if answer.lstrip("+-").isdigit() and not right.strip(" .!?") and re.search(r"[a-z]{3} $", left):
        before = left.split()[-1].lower()
        if not _BEFORE.search(f" {before} ") and not before.endswith(("ly", "ed")):
            return "a number without what it counts"
    if answer.startswith("-") and not _BEFORE.search(left):
        return "an option, and no number"
    if _SMALL_WORD.match(right) and not _BEFORE.search(left):
        return "a number that does not belong to the sentence"
    if right.startswith("'s"):
        return "a part of a longer word or number"
    if re.match(r" (?:ones|others)\b", right) or re.match(r'" (?:through|to|and|or) "', right):
        return "a part of a range"
    if re.match(
        r" (?:to|or|and|through) [-+]?\d|[-\u2013]\d|,? (?:\d+,? )*(?:or|and) \d|,? \d| ?[x*+=<>\u00d7]",
        right,
    ):
        return "a part of a range"
    if re.search(
        r"\d[\w.]* (?:to|or|and|through|nor) $|\d ?[\u2013\u2014-]+ ?$|\d,? $|[+*=<>\u00d7-] ?$",
        left,
    ):
        return "a part of a range"
    if re.search(r"[A-Za-z]\d+ \(?$|#\s*$", left):
        return "a part of a formula or a command"
    if digits and re.search(rf"[A-Za-z-]{digits}\b|\b{digits}[A-Za-z-]", left + " " + right):
        return "the answer stands in the question"
    around = re.findall(r"\d+", left + " " + right)
    if len(parts := re.findall(r"\d+", answer)) > 1 and set(parts) <= set(around):
        return "the answer stands in the question"
    if (
        re.fullmatch(r"[01]|2", answer)
        and re.match(r" [a-z]+", right)
        and not re.search(r"\b(?:is|are|of|than|to|value|by) $", left)
    ):
        return "a number that one guesses"
    if len(left.split()) in (1, 2):
        return "too few words before the gap"
    return None
