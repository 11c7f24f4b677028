"""The rules: from a sentence to a question whose answer stands in it.

Most ask to complete the sentence: the question shows it with a gap, and the answer's prefix is its part
before the gap, so a model goes on as the document does.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from prefixqa.extractive.prose import flaw
from prefixqa.sentences import Sentence

GAP = "____"
MAX_WORDS = 8  # of an answer
OPEN, GUESSED = 1, 2  # ranks of candidates


@dataclass(frozen=True)
class Candidate:
    """A possible question: the answer is ``sentence.text[start:end]``.

    ``rank``: 0; ``OPEN`` if other words might end the sentence as well; ``GUESSED`` for a name that one may
    guess. Those of a higher rank are asked only where there is nothing better.
    """

    type: str
    sentence: Sentence
    start: int
    end: int
    question: str
    prefix: str
    rank: int = 0

    @property
    def answer(self) -> str:
        return self.sentence.text[self.start : self.end]


Rule = Callable[[Sentence], Iterator[Candidate]]
_NOUN = r"[A-Za-z][\w'-]*(?: [a-z][\w'-]*){0,3}"
_DEFINITION = (
    re.compile(rf"^(?P<term>(?:An? |The )?{_NOUN}) (?:is|are) (?P<value>an? [^,;:.()]+)"),
    re.compile(rf"^(?P<term>(?:An? |The )?{_NOUN}) (?:is|are) defined as (?P<value>[^,;:.()]+)"),
    re.compile(
        rf"^(?P<term>(?:An? |The )?{_NOUN}) (?:means|denotes|refers to) (?P<value>[^,;:.()]+)"
    ),
)
_METHOD = re.compile(
    r"\b(?P<head>by|using|via|with the help of|by means of) (?P<value>[^,;:.()]*[a-z])(?=[,;:.])"
)
_COMPARED = re.compile(r"\b\w+(?:er|ore|ess) than (?P<value>[^,;:.()]*\w)(?=[,;:.])")
_NO_UNIT = (
    r"(?:an?|and|are|as|at|but|by|for|from|ha[ds]|in|into|is|it|of|on|or|th[ae]n|that|the|to|"
    r"was|were|when|which|while|with)\b"
)
_NUMBER = re.compile(
    r"(?<![\w.,/-])(?P<value>[-+]?\d+(?:,\d{3})*(?:\.\d+)?(?: ?%| (?!"
    + _NO_UNIT
    + r")[a-z]{1,14})?)"
    r"(?![\w/]|[.,]\d)"
)
_LIST = re.compile(
    r"\b(?:such as|consists? of|namely|including|contains?|comprises?) "
    r"(?P<value>[^,;:.()]+(?:, [^,;:.()]+)+,? and [^,;:.()]+|[^,;:.() ]+(?: \w+)? and \w+(?: \w+)?)(?=[.;])"
)
_NAME = re.compile(
    r"(?<=[a-z,] )(?P<value>(?:[A-Z][\w'-]+)(?: (?:of |de |van |von )?[A-Z][\w'-]+){0,3})"
)
_NUMBERED = re.compile(
    r"^\W?(?:sections?|chapters?|figures?|fig\.|tables?|pages?|appendix|part|step|example|equation|item|note)$",
    re.IGNORECASE,
)
_TERM = re.compile(
    r"^(?:An? )?[A-Za-z][\w-]*(?: [a-z][\w-]+){0,3} (?:is|are|means|denotes|refers)\b"
)
_POINTER = re.compile(
    r"^(?:this|that|these|those|such|of|with|it|them|which)\b|^(?:Section|Chapter|Figure|Table|Appendix)s?$",
    re.IGNORECASE,
)
_NO_THING = re.compile(
    r" (?:become|becomes|becoming|software|does|do|did|can|may|will|would|must|should|has|have|be|been|being|"
    r"if|so|all|any|each|only|also|not|more|less|such|there|then|these|those|free)$"
)
# In front of a number, capitalised and yet no name that the number belongs to.
_NO_OWNER = re.compile(
    r"^(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?|I)$"
)
_OF_A_NAME = re.compile(
    r"^(?:[A-Z][\w'&/-]*|[A-Z]\.|van|von|der|den|de|di|la|le|Mr\.|Mrs\.|Dr\.|St\.)$"
)
_VAGUE = re.compile(
    r"^an? (?:(?:very|quite|rather|really) )?(?:good|bad|nice|great|common|simple|small|new|different|"
    r"special|single|useful|similar|valid|possible|normal|little|bit|lot|few|number|set|list|kind|sort|type|part|case|"
    r"matter|question|way|thing|result|string|value|name|file|number)(?: (?:idea|thing|way|one|case|practice|"
    r"example|choice|option|of \w+(?: \w+)?|to \w+|that \w+))?\s*$"
)
MIN_DEFINITION = 3  # words of what something is: "a file" tells nothing
_CONTENT = re.compile(r"[A-Z]|\d|\b[a-z][a-z-]{5,}")
_STARTS = re.compile(
    r"^(?:It|This|That|These|Those|There|He|She|They|We|What|Here|Which|Thus|Then|If|When|Another|Other|One|Each|Such|All|Both|Note)\b"
)


def definitions(sentence: Sentence) -> Iterator[Candidate]:
    """ "A weir is a low dam" asks what a weir is."""
    for pattern in _DEFINITION:
        found = pattern.match(sentence.text)
        if found and not _STARTS.match(found["term"]) and len(found["term"]) <= 40:
            term, verb = found["term"], sentence.text[found.end("term") : found.start("value")]
            word = verb.split()[0] if verb.split()[0] in ("is", "are") else "is meant by"
            shown = term[:1].lower() + term[1:] if re.match(r"(?:An?|The) ", term) else term
            yield Candidate(
                "definition",
                sentence,
                *found.span("value"),
                f"What {word} {shown}?",
                f" {sentence.text[: found.start('value')].rstrip()}",
            )
            return


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


def numbers(sentence: Sentence) -> Iterator[Candidate]:
    """Numbers with the word behind them."""
    for found in _NUMBER.finditer(sentence.text):
        yield completion("numeric", sentence, *found.span("value"))


def lists(sentence: Sentence) -> Iterator[Candidate]:
    """What something consists of or what there is "such as"."""
    if found := _LIST.search(sentence.text):
        yield completion("multi-span", sentence, *found.span("value"))


def names(sentence: Sentence) -> Iterator[Candidate]:
    """Capitalised names inside a sentence."""
    for found in _NAME.finditer(sentence.text):
        yield completion("factual", sentence, *found.span("value"))


def endings(sentence: Sentence) -> Iterator[Candidate]:
    """The last words of a sentence: a masked key sentence, for documents that give little else."""
    body = sentence.text.rstrip(".!?")
    # A noun phrase behind a verb or preposition that asks for one; what only might follow is no answer.
    last = re.search(
        r"\b(?:by|in|of|from|for|called|named|on|into|at|as) "
        r"(?P<value>(?:(?:a|an|the) )?[a-z][\w'-]{2,}(?: [\w'-]{4,}){1,2})$",
        body,
    )
    if last and last.start() > 0 and len(body.split()) >= 10:
        yield replace(completion("factual", sentence, *last.span("value")), rank=OPEN)


RULES: tuple[Rule, ...] = (definitions, methods, comparisons, lists, numbers, names, endings)


def completion(type_: str, sentence: Sentence, start: int, end: int) -> Candidate:
    """The question that shows a sentence with a gap."""
    before, after = sentence.text[:start], sentence.text[end:]
    question = f"Which words of the document fill the gap in this sentence? {before}{GAP}{after}"
    return Candidate(type_, sentence, start, end, question, f" {before.rstrip()}" if before else "")


def poor_gap(candidate: Candidate) -> str | None:
    """Why nobody could say what belongs into the gap, or would want to; None if nothing speaks against it."""
    sentence, answer = candidate.sentence.text, candidate.answer
    left, right = sentence[: candidate.start], sentence[candidate.end :]
    before = left.split()
    if before and _NUMBERED.search(before[-1]):
        return "the number of a part of the document"
    if _POINTER.search(answer):
        return "an answer that only points"
    if candidate.type == "definition":
        if not _TERM.match(left):
            return "no term that stands for itself"
        if len(answer.split()) < MIN_DEFINITION or _VAGUE.match(answer):
            return "a definition that tells nothing"
    elif re.search(r"[^\s\"'(]$|\w\($", left) or re.match(r"[^\s,;:.!?)\"']|[.,:]\w", right):
        return "a part of a longer word or number"
    if (
        candidate.type in ("numeric", "factual")
        and candidate.rank != OPEN
        and _in_a_name(candidate)
    ):
        return "a part of a longer name, or its version"
    if candidate.type == "numeric" and answer.strip("+-").isdigit() and not right.strip(" .!?"):
        return "a number without what it counts"
    if re.search(r"\d [a-z]+$", answer):
        cut = re.match(r" ([a-z-]+)", right)
        if _NO_THING.search(answer) or (
            not answer.endswith("s") and cut and not re.match(_NO_UNIT, cut[1])
        ):
            return "a number and a word that is no thing"
    if candidate.type == "numeric" and re.search(r"[\w/] ?\($", left) and right.startswith(")"):
        return "the section of a manual page"
    if '"' in answer:
        return "an answer with quotes in it"
    if candidate.type in ("factual", "method") and not _CONTENT.search(answer):
        return "an answer of small words"
    return None


def _in_a_name(candidate: Candidate) -> bool:
    """Whether the words beside an answer belong to it: "LaTeX 2.09", "van der Goot", "TeX Live"."""
    left, right = (
        candidate.sentence.text[: candidate.start],
        candidate.sentence.text[candidate.end :],
    )
    before, after = re.search(r"[\"'(]*(\S+) $", left), re.match(r" (\S+)", right)
    first = before is not None and before.start() == 0  # capitalised because a sentence begins
    owner = before[1] if before and not first else ""
    if candidate.type == "numeric":
        return bool(_OF_A_NAME.match(owner) and owner[:1].isupper() and not _NO_OWNER.match(owner))
    if re.search(r"\w [A-Z]\w+ of $|[(\"'][A-Z]\w+ of $", left):  # the University of somewhere
        return True
    return bool(_OF_A_NAME.match(owner) or (after and re.match(r"[A-Z\d]", after[1])))


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
