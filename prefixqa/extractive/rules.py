"""The rules: from a sentence to a question whose answer stands in it.

Most ask to complete the sentence: the question shows it with a gap, and the answer's prefix is its part
before the gap, so a model goes on as the document does.
"""

import re
from collections.abc import Callable, Iterator

from prefixqa.extractive.candidate import OPEN, Candidate, completion
from prefixqa.extractive.definitions import definitions
from prefixqa.extractive.names import code_names, names
from prefixqa.extractive.numbers import numbers
from prefixqa.sentences import Sentence

Rule = Callable[[Sentence], Iterator[Candidate]]
_METHOD = re.compile(
    r"\b(?P<head>by|using|via|with the help of|by means of) (?P<value>[^,;:.()]*[a-z])(?=[,;.])"
)
_COMPARED = re.compile(r"\b\w+(?:er|ore|ess) than (?P<value>[^,;:.()]*\w)(?=[,;.])")
_LIST = re.compile(
    r"\b(?:such as|consists? of|namely|including|contains?|comprises?|composed of|(?:divided|"
    r"split) into) "
    r"(?P<value>[^,;:.()]+(?:, [^,;:.()]+)+,? and [^,;:.()]+|"
    r"[^,;:.() ]+(?: \w+)? and \w+(?: \w+)?)(?=[.;])"
)
_USE = re.compile(
    r"\b(?:is|are|was|were|be) (?:\w+ly |also |often )?"
    r"(?:(?:used|intended|designed|meant|needed|required|useful|responsible|reserved|suitable|"
    r"necessary) (?:to|for)|due to|based on) "
    r"(?P<value>[^,;:.()]+\w)(?=[.;])"
)
_RELATION = re.compile(
    r"\b(?:depends? on|rel(?:y|ies) on|results? in|leads? to|equivalent to|equal to|amounts? to|"
    r"corresponds? to|belongs? to|stands? for|limited to|restricted to|similar to|identical to|"
    r"differs? from|"
    r"(?:starts|begins|ends|start|begin|end) with|(?:followed|preceded|caused|handled|done|"
    r"provided|determined|controlled|maintained|performed|"
    r"generated) by|responsible for|consists? in|in order to|so that|so as to|is to|instead of) "
    r"(?P<value>[a-z][^,;:.()]*\w)(?=[.;])"
)
_CALLED = re.compile(
    r"\b(?:is|are|was|were|be|been) (?:\w+ly |also |often |sometimes )?(?:called|named|known as|"
    r"termed|renamed to|nicknamed|(?:replaced|written|developed|maintained|invented|designed|"
    r"founded|introduced) by(?= [A-Z])) "
    r"(?!(?:more|by|so|as|in|on|at|after|before|if|when|with|without|for|from|to|only|once|twice|"
    r"and|or|accordingly|explicitly)\b)"
    r"(?P<value>[^,;:.()]+?\w)(?=[.;,]| (?:and|or|but|by|in|for|to|when|if|at|on|from|with|which|"
    r"that|because)\b)"
)
_QUOTED = re.compile(r'(?<=[a-z,] )"(?P<value>[a-z][a-z-]+(?: [a-z-]+){1,5})"')
_REASON = re.compile(r"\bbecause (?P<value>[^,;:.()]+\w)(?=\.$)")
_CONDITION = re.compile(r"[a-z)] (?:if|unless|when|whenever|until) (?P<value>[^,;:.()]+\w)(?=\.$)")
_OBJECT = re.compile(
    r"\b(?:provides|displays|adds|uses|requires|prevents|outputs|produces|generates|supports|"
    r"introduces|implements|represents|creates|returns|removes|replaces|describes|specifies|"
    r"determines|stores|reads|covers|inserts|"
    r"gives|shows|avoids|loads|checks|means that|implies that|ensures that) "
    r"(?!if|whether|that|how|what|when|where|why|to|for|in|of|on|by|and|as|from|with|it|them|up|"
    r"out|"
    r"off)\b"
    r"(?P<value>[a-z][^,;:.()]*\w)(?=\.$)"
)
_ENDING = re.compile(
    r"\b(?:by|in|of|from|for|called|named|on|into|at|as|to) "
    r"(?P<value>(?:(?:a|an|the) )?[a-z][\w'-]{2,}(?: [\w'-]{4,}){1,2})(?=\.$)"
)
MIN_CLAUSE = 4  # words of a reason or a condition
MIN_BEFORE_ENDING = 8  # words in front of an ending


def methods(sentence: Sentence) -> Iterator[Candidate]:
    """What follows "by measuring", "using", "via"."""
    found = _METHOD.search(sentence.text)
    means = found and (found["head"] != "by" or re.match(r"\w+ing\b", found["value"]))
    if found and means:
        yield completion("method", sentence, *found.span("value"))


def comparisons(sentence: Sentence) -> Iterator[Candidate]:
    """What something is "larger than"."""
    if found := _COMPARED.search(sentence.text):
        yield completion("comparison", sentence, *found.span("value"))


def lists(sentence: Sentence) -> Iterator[Candidate]:
    """What something consists of or what there is "such as"."""
    if found := _LIST.search(sentence.text):
        yield completion("multi-span", sentence, *found.span("value"))


def uses(sentence: Sentence) -> Iterator[Candidate]:
    """What something "is used for", "is intended to" do, "is due to"."""
    if found := _USE.search(sentence.text):
        yield completion("method", sentence, *found.span("value"))


def relations(sentence: Sentence) -> Iterator[Candidate]:
    """What something "depends on", "results in", "is to" do: words up to a mark."""
    if found := _RELATION.search(sentence.text):
        yield completion("factual", sentence, *found.span("value"))


def called(sentence: Sentence) -> Iterator[Candidate]:
    """What something "is called", or whom it "was written by"."""
    if found := _CALLED.search(sentence.text):
        yield completion("factual", sentence, *found.span("value"))


def quoted(sentence: Sentence) -> Iterator[Candidate]:
    """Two words and more between quotes."""
    for found in _QUOTED.finditer(sentence.text):
        yield completion("factual", sentence, *found.span("value"))


def reasons(sentence: Sentence) -> Iterator[Candidate]:
    """The last clause of a sentence, behind "because"."""
    found = _REASON.search(sentence.text)
    if found and len(found["value"].split()) >= MIN_CLAUSE:
        yield completion("factual", sentence, *found.span("value"))


def conditions(sentence: Sentence) -> Iterator[Candidate]:
    """The last clause of a sentence, behind "if", "unless", "when", "until"."""
    found = _CONDITION.search(sentence.text)
    if found and len(found["value"].split()) >= MIN_CLAUSE:
        yield completion("factual", sentence, *found.span("value"), rank=OPEN)


def endings(sentence: Sentence) -> Iterator[Candidate]:
    """The last words of a sentence, for documents that give little else."""
    for pattern in (_OBJECT, _ENDING):
        found = pattern.search(sentence.text)
        if found and len(sentence.text[: found.start("value")].split()) >= (
            MIN_BEFORE_ENDING if pattern is _ENDING else 3
        ):
            yield completion("factual", sentence, *found.span("value"), rank=OPEN)


RULES: tuple[Rule, ...] = (
    definitions, methods, comparisons, lists, uses, relations, called, quoted, reasons, numbers, names,
    code_names, conditions, endings,
)  # fmt: skip
