"""Whether a sentence can be read alone, or leans on the one before it."""

import re

_OPENING = (
    r"(?:(?:However|But|And|Also|Note that|Note|NOTE|Actually|In addition|For example|For instance|"
    r"Moreover|Furthermore|Still|Yet|Indeed|In fact|Of course|Of these|Usually|Typically|Currently|"
    r"Often),?:? )?"
)
_LEANS = re.compile(
    rf"^{_OPENING}(?:"
    r"(?:[Tt]his|[Tt]hese|[Tt]hose|[Tt]hat|[Tt]hey|[Hh]e|[Ss]he|[Ii]ts|[Tt]heir|[Hh]is|[Hh]er|"
    r"[Tt]hem|[Ss]uch|[Ss]uch an?|[Aa]nother|[Bb]oth|[Oo]thers?|[Ee]ither|[Nn]either|[Hh]ere|"
    r"[Nn]ow|[Tt]hen|[Tt]hus|[Hh]ence|"
    r"[Tt]herefore|So|[Ii]nstead|[Ss]imilarly|[Ll]ikewise|[Oo]therwise|[Cc]onversely|"
    r"[Cc]onsequently|[Aa]ccordingly|"
    r"[Dd]oing (?:so|this|that)|[Ff]or (?:this|that|these) \w+|[Ii]n that \w+|[Tt]o (?:do|"
    r"achieve) (?:so|this|that)|Finally|First|Second|Third|Next|Again|Nevertheless|Nonetheless|"
    r"Alternatively|Afterwards|After that|Of these|As a (?:result|consequence)|In (?:other words|"
    r"contrast|particular|turn)|By contrast|"
    r"On the other hand|[Ii]n (?:either|both|all these|the (?:latter|former|first|second)) cases?|"
    r"Some of|"
    r"[Oo]ne of them|[Aa]ll of|(?:[Ee]ach|[Tt]wo|[Mm]ost|[Mm]any|[Oo]ne|[Nn]one) of (?:these|them|"
    r"those|which)|What is more|"
    r"Among|[Tt]he (?:(?:only|main|most) )?(?:first|second|third|latter|former|others?|same|above|"
    r"corresponding|next|last|previous|resulting|two|three|four|remaining|rest)|[Tt]he (?:only |"
    r"main |most \w+ )?(?:difference|advantage|disadvantage|drawback|reason|result|"
    r"answer|idea|problem|exception|default|values?|numbers?|name|text|list|command|option|file|"
    r"program|package|string|"
    r"argument|effect|purpose|solution|alternative)s? (?:is|are|was|were))\b|"
    # "it is possible to" says what it is about, "it is a list" does not
    r"[Ii]t (?!(?:is|was|can be|may be|would be|might be|seems|has been|will be|isn't|is not|"
    r"is also|is often|is now)(?: \w+ly| very| quite| not| also| often| more| much)* "
    r"(?:\w+able|\w+ible|\w+ful|important|necessary|essential|easy|hard|difficult|likely|common|"
    r"best|better|good|bad|safe|wise|recommended|required|assumed|expected|known|said|intended|"
    r"suggested|customary|trivial|easier|"
    r"safer|worth|unlikely|simple|clear|true|not true|up to|sufficient|enough|convenient|called|"
    r"permitted|allowed|forbidden|"
    r"strongly recommended|advisable)"
    r"(?: \w+)? (?:to|that|for|if|when|whether|in which)\b))"
)
# "But we can provide it", "By default, it is": nothing in front that "it" could be.
_NOTHING_YET = re.compile(
    r"^(?:But|And|Or|Nor)\b|^(?:(?:But|And|However|Then|So|Now|We|You|I|One|If|Note|Please|Instead|"
    r"we|you|one|can|could|"
    r"may|must|should|will|would|to|also|then|not|do|have|had|want|need|that),? )*\w+ (?:it|"
    r"them)\b|^(?:(?!(?:the|an?|its|each|every|all|any|no|some|as|if|when)\b)[^\s,;:]+ ){1,5}(?:it|"
    r"them|"
    r"him)\b(?! (?:is|was))|^(?:If|When|While|Since|As|Because|Once|Unless|Although) "
    r"(?:(?:they|he|she|this|these|those)\b|it (?:is|was) (?:not )?\w+ed\b)|"
    r"^(?:\w+ ){0,2}\w+, (?:it|they|he|she|its|their|them)\b"
)
_NO_CLAUSE = re.compile(
    r"^(?:For|In|On|At|By|With|From|Under|As|Within|Without|Like|Unlike|Besides|To) [^,]*, (?:this|"
    r"these|those)\b"
)
_POINTER = re.compile(r"\b(?:this|these|those|such (?!as\b)\w+|the (?:above|former|latter))\b")
_ENOUGH = 5  # words in front of a comma that a later "this" may stand for


def leans(sentence: str) -> bool:
    """Whether a sentence needs the one before it: "They are", "this option"."""
    if _LEANS.match(sentence) or _NOTHING_YET.match(sentence) or _NO_CLAUSE.match(sentence):
        return True
    for found in _POINTER.finditer(sentence):
        before = re.split(r"[,;:]", sentence[: found.start()])
        if len(before) < 2 or len(",".join(before[:-1]).split()) < _ENOUGH:
            return True
    return False


# Verbs that prose has; a word ends as they do.
_VERBS = (
    "accept|add|allow|appear|apply|ask|assume|avoid|become|begin|belong|bring|build|"
    "burn|call|cause|change|check|choose|clean|come|compare|conform|consider|consist|"
    "contain|contribute|control|convert|correspond|cover|create|decide|declare|define|"
    "depend|describe|determine|develop|differ|display|distribute|do|draw|edit|enable|"
    "end|ensure|establish|evaluate|exist|expand|expect|explain|express|extend|find|fix|"
    "follow|force|form|generate|get|give|go|grow|handle|happen|have|hold|ignore|"
    "implement|imply|include|increase|indicate|inherit|insert|install|introduce|invoke|"
    "keep|know|lead|learn|leave|let|lie|light|like|list|live|load|look|maintain|make|"
    "mark|match|mean|measure|mend|move|need|note|occur|offer|open|perform|permit|"
    "place|play|point|prefer|prepare|prevent|print|process|produce|propose|protect|"
    "prove|provide|publish|put|read|receive|recommend|reduce|refer|refuse|reject|rely|"
    "remain|remember|remove|replace|represent|require|restore|result|return|run|save|"
    "say|see|seem|select|send|separate|serve|set|share|show|sign|sit|specify|stand|"
    "start|state|stay|stop|store|suggest|support|suppose|surround|switch|take|tell|"
    "tend|test|think|transfer|try|turn|type|understand|update|use|vary|visit|wait|"
    "want|wish|work|write|yield"
)
_IRREGULAR = (
    "began|became|brought|built|came|chose|did|drew|found|gave|got|grew|had|held|"
    "kept|knew|led|left|lay|lost|made|meant|paid|put|ran|read|rose|said|sat|saw|"
    "sent|showed|shown|stood|took|told|thought|tried|went|wrote|written|does|goes|"
    "lets|sets|puts|runs|gets|plans|refers|begins|stops|cuts"
)
_VERB = re.compile(
    r"\b(?:" + re.sub(r"(\w+?)e?(?=\||$)", r"\1(?:e|s|es|d|ed)?", _VERBS) + f"|{_IRREGULAR}|"
    r"\w+(?:ifies|ized|izes|ises|ised|ates|ied|ies))\b",
    re.IGNORECASE,
)
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|am|be|has|have|had|do|does|did|can|could|may|might|must|shall|should|"
    r"will|would|cannot|"
    r"\w+n't|\w+'(?:s|re|ve|ll|d))\b",
    re.IGNORECASE,
)


def says_something(sentence: str) -> bool:
    """Whether there is a word that may be its verb: a rough look, for lists and notes without one."""
    return bool(_AUXILIARY.search(sentence) or _VERB.search(sentence))
