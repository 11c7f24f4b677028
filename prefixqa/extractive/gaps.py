"""Why a candidate makes no good question: its sentence, the words beside the gap, the answer."""

import re
from dataclasses import replace

from prefixqa.extractive.candidate import BRIEF, GAP, GUESSED, LEANING, OPEN, Candidate
from prefixqa.extractive.definitions import DANGLING, poor_definition
from prefixqa.extractive.names import in_a_name, is_code, poor_name
from prefixqa.extractive.numbers import poor_number
from prefixqa.extractive.prose import flaw
from prefixqa.extractive.standing import leans, says_something

MAX_WORDS = 8  # of an answer
MIN_OPEN = 2  # of an answer that other words might replace
FEW = 3  # longer words of an answer, below which other words might replace it, too
MIN_AROUND = 4  # longer words of a sentence beside the answer: fewer do not say what it is about
_WORD = re.compile(r"[A-Za-z-]{4,}")
_TELLING = re.compile(r"[a-z-]{4,}|[A-Z]\w+")  # an answer of one such word tells little
SHORT = 4  # words of an answer that must not share one with the sentence
_POINTER = re.compile(
    r"^(?:this|that|these|those|such|of|with|it|them|which|they|he|she|you|we|one|not|following|or|"
    r"and|but|nor|to)\b|\b(?:it|them|so|your|yours|yourself|itself|themselves)$|"
    r"\b(?:this|these|those|above|below)\b|\s--|[\u2013\u2014]|^(?:the )?(?:following|above|former|"
    r"latter|author|user|users|reader|others?)$",
    re.IGNORECASE,
)
# A word that says something, or two that do so together.
_CONTENT = re.compile(r"[A-Z]|\d|\b[a-z][a-z-]{5,}|\b[a-z-]{4,}\b.*\b[a-z-]{4,}\b")
_IDIOM = re.compile(
    r"^(?:effect|general|particular|practice|fact|addition|order|case|advance|detail|total|turn|"
    r"time|question|example|instance|short|mind|place|use|force|common|least|most|first|last|once|"
    r"all|more|other|many|several|"
    r"various)\b"
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|can|will|may|must|should|would|could|does|do|did|cannot)\b"
)
_VAGUE = re.compile(
    r"^(?:the )?(?:different|various|other|many|several|certain|some|such|same|reference|"
    r"own)? ?(?:things?|purposes?|reasons?|ways?|cases?|people|\w+ (?:things?|purposes?|reasons?))$"
)
# Comparisons with no more than themselves.
_NOTHING_COMPARED = re.compile(
    r"^(?:just|one|once|that|those|it|they|usual|necessary|expected|before|ever|this|these|you|he|"
    r"she|we|I|what|others?|any|anything|ours|at|in the past)\b"
)
_LISTED_ON = re.compile(r"^, [^,]+(?:,[^,]+)*,? (?:and|or) ")


def poor_gap(candidate: Candidate) -> str | None:
    """Why nobody could say what belongs into the gap, or would want to; None if nothing speaks against it."""
    left, right, answer = candidate.left, candidate.right, candidate.answer
    if _POINTER.search(answer):
        return "an answer that only points"
    if re.match(r"\.\s+[\"'(\[]?[A-Z\d]", right):  # the sentence goes on, as behind "Mr."
        return "an answer cut short"
    if candidate.type == "definition":
        return poor_definition(candidate)
    if re.search(r"[^\s\"'(]$|\w\($", left) or re.match(r"[^\s,;:.!?)\"']|[.,:]\w|:", right):
        return "a part of a longer word or number"
    if '"' in answer:
        return "an answer with quotes in it"
    if candidate.type == "numeric":
        return (
            "a part of a longer name, or its version"
            if in_a_name(candidate)
            else poor_number(candidate)
        )
    if is_code(answer) or (answer[:1].isupper() and candidate.rank != OPEN):
        return poor_name(candidate)
    return _poor_words(candidate)


def _poor_words(candidate: Candidate) -> str | None:
    """The same for answers that are no name and no number."""
    left, right, answer = candidate.left, candidate.right, candidate.answer
    if re.search(rf"\b(?:{DANGLING}|only|also|then|when|etc)$", answer):
        return "an answer cut short"
    if candidate.type == "comparison" and re.search(r"\b(?:will|is|are|was|were)\b", answer):
        return "words that belong to different parts of the sentence"
    if re.search(r"\d \w{1,3}\b|\b[A-Z]{3,} [A-Z]{3,}\b", answer):
        return "names that lost what was between them"
    if candidate.type == "comparison" and _NOTHING_COMPARED.match(answer):
        return "a comparison with nothing"
    if left.endswith("by ") and re.search(r"\b(?:or|and) \w+ed\b", answer):
        return "words that belong to different parts of the sentence"
    if "such as" in answer and right.startswith(","):
        return "one of several"
    if candidate.type == "method":
        words = re.search(r"\b(?:using|by|via) $", left)
        if words and (len(left.split()) <= 3 or _FINITE.search(answer)):
            return "words that belong to different parts of the sentence"
        if re.search(r"(?:to|for|on) $", left) and len(_TELLING.findall(answer)) < 2:
            return "an answer of small words"
        if re.fullmatch(r"[a-z]+", answer):
            return "an answer of small words"
        if _LISTED_ON.match(right):
            return "one of several"
    if re.fullmatch(
        r"(?:an?|the)? ?(?:certain|some|given|particular|appropriate|suitable|specific|various|"
        r"different|other|usual|"
        r"correct|right|proper|necessary|relevant|corresponding|actual) [\w-]+",
        answer,
    ):
        return "an answer of small words"
    if re.match(r"(?:your|my|our|each other)\b", answer):
        return "an answer that only points"
    if _FINITE.match(answer):
        return "words that belong to different parts of the sentence"
    if not _CONTENT.search(answer) or _VAGUE.match(answer):
        return "an answer of small words"
    if candidate.type == "factual" and len(_TELLING.findall(answer)) < 2:
        return "an answer of small words"
    if candidate.rank == OPEN:
        if _IDIOM.match(answer) or len(re.findall(r"[a-z-]{4,}|[A-Z]\w+|\d+", answer)) < 2:
            return "an answer of small words"
        if len(answer.split()) < MIN_OPEN or _shares_a_word(candidate):
            return "an answer that one guesses"
        if re.search(
            r"\b(?:itself|themselves|ones|one|myself|oneself|it|they|them|this|these|you|your|he|"
            r"she|his|their|we|our)\b",
            answer,
        ):
            return "an answer that only points"
    if re.match(r" ?\(", right):
        return "an answer cut short"
    return None


def _shares_a_word(candidate: Candidate) -> bool:
    """Whether a longer word of a short answer stands in the sentence, too, in whatever form."""
    words = re.findall(r"[a-z]{4,}", candidate.answer.lower())
    outside = (candidate.left + " " + candidate.right).lower()
    shared = sum(each[:5] in outside for each in words)
    return shared > 1 or (shared == 1 and len(candidate.answer.split()) <= SHORT)


def _is_spelt_out(candidate: Candidate) -> bool:
    r"""Whether the sentence says what a command's name says: "\cite" for a citation."""
    around = (candidate.left + candidate.right).lower()
    if "_" in candidate.answer:
        return all(each[:6] in around for each in candidate.answer.lower().split("_"))
    if not candidate.answer.startswith("\\"):
        return False
    name = candidate.answer.strip("\\*").lower()
    return name[: 4 if len(name) > SHORT + 1 else 3] in around


def problem(candidate: Candidate) -> str | None:
    """Why a candidate makes no good question; None if nothing speaks against it."""
    answer, sentence = candidate.answer, candidate.sentence.text
    words = answer.split()
    if not re.search(r"\w", answer) or len(words) > MAX_WORDS:
        return f"answer of {len(words)} words; expected 1 to {MAX_WORDS}"
    if (why := flaw(sentence)) is not None:
        return why
    if (why := poor_gap(candidate)) is not None:
        return why
    outside = candidate.question.replace(GAP, " ") + " " + candidate.prefix
    if re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", outside, re.IGNORECASE):
        return "the answer stands in the question"
    if candidate.start > 0 and len(candidate.prefix.split()) < 2:
        return "too few words before the gap"
    return None


def ranked(candidate: Candidate) -> Candidate:
    """The candidate, behind others if its sentence does not stand alone, or if it is guessed easily."""
    sentence, answer = candidate.sentence.text, candidate.answer
    if leans(sentence) or not says_something(sentence):
        return replace(candidate, rank=LEANING)
    if candidate.rank:
        return candidate
    if candidate.type == "numeric" and re.fullmatch(r"[0-3]", answer):
        return replace(candidate, rank=GUESSED)
    if len(_WORD.findall(candidate.left + " " + candidate.right)) < MIN_AROUND:
        return replace(candidate, rank=OPEN)
    if is_code(answer) and _is_spelt_out(candidate):
        return replace(candidate, rank=GUESSED)
    alone = len(_WORD.findall(answer)) < 2 and not re.search(r"[A-Z\d]", answer)
    if candidate.type in ("comparison", "method") and (alone or _shares_a_word(candidate)):
        return replace(candidate, rank=OPEN)
    if candidate.type in ("factual", "method") and not is_code(answer) and answer.islower():
        if _shares_a_word(candidate):
            return replace(candidate, rank=OPEN)
        if len(_WORD.findall(answer)) < FEW:
            return replace(candidate, rank=BRIEF)
    return candidate
