""" "A weir is a low dam" asks what a weir is; and which sentences of that form define nothing."""

import re
from collections.abc import Iterator

from prefixqa.extractive.candidate import Candidate
from prefixqa.sentences import Sentence

_NOUN = r"[A-Za-z][\w'-]*(?: [a-z][\w'-]*){0,3}"
_PATTERNS = (
    re.compile(rf"^(?P<term>(?:An? |The )?{_NOUN}) (?:is|are) (?P<value>an? [^,;:.()]+)"),
    re.compile(rf"^(?P<term>(?:An? |The )?{_NOUN}) (?:is|are) defined as (?P<value>[^,;:.()]+)"),
    re.compile(
        rf"^(?P<term>(?:An? |The )?{_NOUN}) (?:means|denotes|refers to) (?P<value>[^,;:.()]+)"
    ),
)
# Words that a definition does not end with.
DANGLING = (
    r"with|to|of|for|in|on|by|from|as|at|and|or|the|an?|that|which|if|than|into|over|under|via|is|"
    r"are|"
    r"not|be|about"
)
LONGEST_TERM = 40  # characters
MIN_WORDS = 3  # of what something is: "a file" tells nothing
# Beginnings that are no term, and words that a term does not have.
_STARTS = re.compile(
    r"^(?:It|This|That|These|Those|There|He|She|They|We|You|What|Here|Which|Thus|Then|If|When|As|"
    r"Another|Other|One|Each|Such|All|Both|Note|Technically|Using|Having|Being|Doing|Some|Many|"
    r"Most|Nothing|Anything|"
    r"Everything|Where|Since|For|In|On|At|By|With|Also|Perhaps|Probably|Usually|Sometimes|Often|"
    r"Its|Their|His|Her|Our|My|"
    r"Your|Only|Not|No|Sometime|Today|Now|Still|Alternatively|Finally)\b"
)
_NO_TERM = re.compile(
    r"\b(?:this|these|that|which|who|as|is|are|not|other|corresponding|common|first|second|third|"
    r"next|last|example|name|main|only|problem|reason|result|purpose|goal|idea|point|best|same|way|"
    r"latter|former|above|"
    r"following|answer|question|rest|case|cases|alternative|exception|advantage|disadvantage|"
    r"drawback|difference|solution|such|it|"
    r"they|you|we|also|probably|usually|often|sometimes|resulting|there|though|even|although|"
    r"because|while|since|"
    r"however|what|thing|something|and|or|new|default|if|when|more|another)\b"
)
_VAGUE = re.compile(
    r"^an? (?:(?:very|quite|rather|really|extremely|fairly|pretty|particularly|more|"
    r"most) )?(?:good|"
    r"bad|nice|great|common|simple|small|new|different|special|single|useful|similar|valid|"
    r"possible|normal|little|bit|lot|few|"
    r"number|set|list|kind|sort|type|part|case|matter|question|way|thing|result|string|value|name|"
    r"file|acceptable|important|"
    r"major|powerful|essential|synonym|\w+ful|\w+ible|\w+able)"
    r"(?: (?:idea|thing|way|one|case|practice|example|choice|option|format|tool|feature|"
    r"alternative|"
    r"point|part|of \w+(?: \w+)?|to \w+|that \w+|for \w+))?\s*$"
)


# What somebody thinks of it, and not what it is.
_JUDGED = re.compile(
    r"^an? (?:very |quite |rather )?(?:popular|common|violation|pain|mistake|waste|joke|must|good|"
    r"bad|nice|favou?rite|sign|matter|question|reason)\b"
)


def definitions(sentence: Sentence) -> Iterator[Candidate]:
    """What something is, means or refers to: up to the first mark."""
    for pattern in _PATTERNS:
        found = pattern.match(sentence.text)
        if found and not _STARTS.match(found["term"]) and len(found["term"]) <= LONGEST_TERM:
            term, verb = found["term"], sentence.text[found.end("term") : found.start("value")]
            word = verb.split()[0] if verb.split()[0] in ("is", "are") else "is meant by"
            shown = term[:1].lower() + term[1:] if re.match(r"(?:An?|The) ", term) else term
            value = found["value"].rstrip()
            yield Candidate(
                "definition",
                sentence,
                found.start("value"),
                found.start("value") + len(value),
                f"What {word} {shown}?",
                f" {sentence.text[: found.start('value')].rstrip()}",
            )
            return


def poor_definition(candidate: Candidate) -> str | None:
    """Why a definition is none; None if nothing speaks against it."""
    answer = candidate.answer
    found = re.match(r"(.+?) (?:is|are|means|denotes|refers)\b", candidate.left)
    term = found[1] if found else ""
    if not re.match(r"(?:An? |The )?[A-Za-z][\w'-]*(?: [a-z][\w'-]+){0,3}$", term):
        return "no term that stands for itself"
    if _NO_TERM.search(term) or (term.startswith("The ") and " of " in term):
        return "no term that stands for itself"
    if re.match(r"\w+ly\b", term) or (not re.match(r"An? |The ", term) and term.count(" ") > 1):
        return "no term that stands for itself"
    if answer.split()[-1].lower() in term.lower().split():
        return "a definition that tells nothing"
    if " is " in candidate.left and re.search(
        r"(?:\b[a-z]{3,}(?<!s)s|\w+ (?:from|of|for|to|in|with|on) .*)$", term
    ):
        return "no term that stands for itself"
    if len(answer.split()) < MIN_WORDS or _VAGUE.match(answer) or _JUDGED.match(answer):
        return "a definition that tells nothing"
    if re.search(r"\band (?:is|are|has|have|can|may|will|must|does|was|were)\b", answer):
        return "words that belong to different parts of the sentence"
    if re.match(r", (?:an?|the|and|or) ", candidate.right) or re.search(
        r" at (?:one|any|this) time$", answer
    ):
        return "a definition cut short"
    if re.search(r"\b(?:" + DANGLING + r")$", answer) or re.match(r"\(| \(", candidate.right):
        return "a definition cut short"
    return None
