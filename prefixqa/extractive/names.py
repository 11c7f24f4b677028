"""Names of a sentence, of people and things and of code; and which of them tell nothing."""

import re
from collections.abc import Iterator

from prefixqa.extractive.candidate import Candidate, completion
from prefixqa.extractive.code import NAMES
from prefixqa.extractive.months import MONTHS
from prefixqa.sentences import Sentence

_NAME = re.compile(
    r"(?<=[a-z,] )(?P<value>(?:[A-Z][\w'-]+)(?: (?:of |de |van |von )?[A-Z][\w'-]+){0,3})"
)
# In front of a number, capitalised and yet no name that the number belongs to.
_NO_OWNER = re.compile(
    rf"^(?:{MONTHS}|"
    r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?|I)$"
)
_OF_A_NAME = re.compile(
    r"^(?:[A-Z][\w'&/-]*|[A-Z]\.|van|von|der|den|de|di|la|le|Mr\.|Mrs\.|Dr\.|St\.)$"
)
_NONE = re.compile(
    r"^(?:OK|I|I'\w+|TRUE|FALSE|True|False|Yes|No|NULL|Note|See|Section|Chapter|Figure|Table|"
    r"Appendix|A|An|The|If|When|This|It|In|For|To|You|We|God|English|Internet|Web|URL|URLs|PC|CD|"
    r"GUI|IP|RAM|ASCII)s?$"
)
# Names with a mark of their own that everybody knows.
_KNOWN = re.compile(
    r"^(?:UTF-?8|UTF-16|ISO-.*|IPv[46]|X11|MacOS.*|LaTeX.*|BibTeX|pdfTeX|XeTeX|LuaTeX|Latin-1|"
    r"[A-Z]\w+-(?:like|based|only|specific)|United States.*|United Kingdom|New York.*|Mac OS.*|"
    r"Microsoft.*|Windows.*|Linux.*|Unix.*|GNU.*|"
    r"Internet.*|"
    r"Free Software|JavaScript|PostScript|OpenGL|GitHub|MySQL|Table of Contents|Release Notes|"
    r"Front Matter|[A-Z][a-z]+(?:ese|ish|ian|ean|ans)|Western Europe.*|North America.*)$"
)
# Behind "/usr/lib/" other words may be the rest of a path that a blank has got into.
_BEHIND_A_FOLDER = re.compile(
    r" (?:director(?:y|ies)|folders?|hierarchy|tree|and|or|is|are|was|were|to|for|in|with|by|using|"
    r"on|which|that|if|when|from|as|at|after|before|has|have|contains?|must|should|can|may|will|"
    r"does|do|not|first|"
    r"performs|instead)\b"
)
# Folders that everybody knows.
_COMMON_FOLDER = re.compile(
    r"/(?:etc|var|tmp|usr|usr/local|usr/bin|usr/sbin|bin|sbin|home|dev|proc|sys|lib|opt|usr/lib|"
    r"usr/share|dev/null|boot|root)/?"
)
_TITLE = re.compile(
    r"\b(?:see|see also|described in|requested in|explained in|discussed in|shown in|listed in|"
    r"found in|information in|refer to|referred to|documented in|details in|given in|chapter|"
    r"section|appendix|and)(?: the|"
    r" also)? \(?$|\(see(?: the| also)? $|\(in $",
    re.IGNORECASE,
)


def names(sentence: Sentence) -> Iterator[Candidate]:
    """Capitalised names inside a sentence."""
    for found in _NAME.finditer(sentence.text):
        yield completion("factual", sentence, *found.span("value"))


def code_names(sentence: Sentence) -> Iterator[Candidate]:
    """Commands, options, paths and variables."""
    for found in NAMES.finditer(sentence.text):
        yield completion("factual", sentence, *found.span())


def is_plain(answer: str) -> bool:
    """Whether a name is one word that many sentences could have: "USB", "Latin", "Marx"."""
    if _COMMON_FOLDER.fullmatch(answer):
        return True
    known = bool(_KNOWN.match(answer))
    if known or " " in answer:
        return known
    return not re.search(
        r"[a-z][A-Z]|\d|^[A-Z][a-z]+-[A-Z][a-z]+$|^.{10,}$", answer
    ) and not is_code(answer)


def is_code(answer: str) -> bool:
    """Whether an answer is one name of code."""
    return NAMES.fullmatch(answer) is not None


def poor_name(candidate: Candidate) -> str | None:
    """Why a name is no good answer; None if nothing speaks against it."""
    left, right, answer = candidate.left, candidate.right, candidate.answer
    if is_code(answer):
        return _poor_code(candidate)
    if in_a_name(candidate):
        return "a part of a longer name, or its version"
    if _NONE.match(answer) or answer.endswith(("'s", "s'")):
        return "a word that is no name"
    if re.fullmatch(r"[A-Z-]{2,}(?: [A-Z-]{2,})+", answer):
        return "names that lost what was between them"
    if re.match(r",? \(?(?:19|20)\d\d", right) and re.search(r"\b(?:and|&) $|[A-Z]\w+, $", left):
        return "a part of a citation"
    if re.search(r"\b(?:and|&) $", left) and re.match(r" \[\d|,? \(?(?:19|20)\d\d", right):
        return "a part of a citation"
    if re.match(r",? (?:and|&) [A-Z][\w-]+,? \(?(?:\[\d|(?:19|20)\d\d)", right):
        return "a part of a citation"
    if " " not in answer and re.match(r" (?:and|&) [A-Z][\w-]+ [A-Z]", right):
        return "a part of a longer name, or its version"
    if " " in answer and re.match(r" (?:and|&) [A-Z][\w-]+ [a-z]", right):
        return "a part of a longer name, or its version"
    if re.match(r" (?:of|for|on|des|du|de|der|del) (?:the )?[A-Z]", right):
        return "a part of a longer name, or its version"
    if re.search(r"[A-Z][\w-]+, (?:[A-Z][\w-]+, )*(?:and|or) $", left):
        return "one of several names"
    if re.search(_TITLE, left) and not re.search(r"[a-z]{3},? and $", left, re.IGNORECASE):
        return "an answer that only points"
    stem = answer.rstrip("s").lower()
    if " " not in answer and len(stem) > 2 and stem in (left + " " + right).lower():
        return "the answer stands in the question"
    return None


def _poor_code(candidate: Candidate) -> str | None:
    left, right, answer = candidate.left, candidate.right, candidate.answer
    others = [*NAMES.findall(left), *NAMES.findall(right)]
    last = re.split(r"[/\\]", answer.rstrip("/"))[-1].strip("*-")
    for each in others:
        found = re.split(r"[/\\]", each.rstrip("/"))[-1].strip("*-")
        if found == last or each.startswith(answer) or answer.startswith(each):
            return "the answer stands in the question"
    if re.search(rf"\b{re.escape(last)}\b", left + " " + right):
        return "the answer stands in the question"
    if answer[:1] == "/" and answer[-1:] != "/" and re.search(r"\w/(?!\w)", right):
        return "a part of a longer word or number"
    if answer[-1:] == "/" and re.match(r" [\w-]+(?:[\"/]|\.\w)", right):
        return "a part of a longer word or number"
    if answer[-1:] == "/" and re.match(r" [a-z]", right) and not _BEHIND_A_FOLDER.match(right):
        return "a part of a longer word or number"
    if re.match(r" \w+/", right) or re.search(r"/ $", left):
        return "a part of a longer word or number"
    listed = r"(?:,|,? (?:and|or)|/|)"
    if re.search(rf"(?:{NAMES.pattern}){listed} $", left) or re.match(
        rf"{listed} (?:{NAMES.pattern})", right
    ):
        return "one of several names"
    return None


def in_a_name(candidate: Candidate) -> bool:
    """Whether the words beside an answer belong to it: "LaTeX 2.09", "van der Goot", "TeX Live"."""
    left, right = candidate.left, candidate.right
    before, after = re.search(r"[\"'(]*(\S+) $", left), re.match(r" (\S+)", right)
    first = before is not None and before.start() == 0  # capitalised because a sentence begins
    owner = before[1] if before and not first else ""
    if candidate.type == "numeric":
        return bool(_OF_A_NAME.match(owner) and owner[:1].isupper() and not _NO_OWNER.match(owner))
    # The University of somewhere.
    if re.search(r"(?:\w |[(\"'])[A-Z]\w+ (?:of|for|to|on) (?:the )?$", left):
        return True
    return bool(_OF_A_NAME.match(owner) or (after and re.match(r"[A-Z\d]", after[1])))
