"""Pairs of one document by rule, deterministic, spread over its depth."""

import random
import re
from collections import Counter
from dataclasses import replace

from prefixqa.document import Document, Pair
from prefixqa.extractive.candidate import BRIEF, GUESSED, LEANING, OPEN, Candidate
from prefixqa.extractive.code import NAMES
from prefixqa.extractive.gaps import problem, ranked
from prefixqa.extractive.names import is_plain
from prefixqa.extractive.prose import LONGEST
from prefixqa.extractive.rules import RULES, endings
from prefixqa.made import Made, Rejected
from prefixqa.mix import quotas
from prefixqa.sentences import Sentence, sentences
from prefixqa.spread import Strata

NAME = "extractive"
GENERATOR = "extractive-5"  # goes into every row; other pairs for one text need another version
SUBJECT = 0.01  # share of sentences from which on a name is what the document is about
OFTEN = 5  # times that a name of several words may come before it is one, too
MIX = {"numeric": 6, "factual": 8, "definition": 4, "method": 3, "comparison": 1, "multi-span": 2}


# Why a document has fewer pairs than asked for. Worse ones would be no help.
NO_MORE = "no other sentence of it passes the rules; a model can ask more (backend=openai)"


def extract(document: Document, questions: int, seed: int) -> Made:
    """Up to ``questions`` pairs of a document; fewer if it does not give more.

    Depends on the document's text, its id, ``questions`` and ``seed`` only.
    """
    good, rejected = candidates(document)
    rng = random.Random(f"{NAME} {seed} {document.id}")
    chosen = choose(rng, good, questions, len(document.text))
    provenance = {"backend": NAME, "generator": GENERATOR, "seed": seed}
    pairs = [_pair(document, each, provenance) for each in chosen]
    pairs.sort(key=lambda pair: pair.evidence[0].start)
    return Made(document, tuple(pairs), tuple(rejected))


def candidates(document: Document) -> tuple[list[Candidate], list[Rejected]]:
    """What the rules find: candidates without a flaw, and the others with theirs."""
    found: list[Candidate] = []
    rejected: list[Rejected] = []
    text = document.text
    words = Repeats(text)
    every = sentences(text)
    key = key_sentences(every)
    subjects = everywhere(every)
    common = set(re.findall(r"\b[a-z]{3,}\b", text))
    for sentence in every:
        if len(sentence.text) > LONGEST:
            continue
        rules = [rule for rule in RULES if rule is not endings or sentence in key]
        for candidate in (each for rule in rules for each in rule(sentence)):
            flaw = problem(candidate)
            if flaw is None and words.repeated(sentence.text):
                flaw = "the sentence comes more than once"
            elif flaw is None and words.repeated(candidate.prefix):
                flaw = "the words before the answer come more than once"
            guessed = (
                candidate.answer in subjects
                or is_common(candidate.answer, common)
                or (candidate.answer[:1].isupper() and is_plain(candidate.answer))
                or (flaw is None and is_a_subject(candidate.answer, text))
            )
            if candidate.type in ("factual", "method") and candidate.rank < GUESSED and guessed:
                candidate = replace(candidate, rank=GUESSED)
            if flaw is None:
                found.append(ranked(candidate))
            else:
                shown = {"question": candidate.question, "answer": candidate.answer}
                rejected.append(Rejected(document.id, "rule", flaw, shown))
    return found, rejected


def everywhere(every: list[Sentence]) -> set[str]:
    """Capitalised words that come in so many sentences that one guesses them without reading."""
    found = Counter(
        word
        for each in every
        for word in {*re.findall(r"(?<=[a-z,] )[A-Z][\w'-]+", each.text), *NAMES.findall(each.text)}
    )
    return {word for word, count in found.items() if count > max(4, SUBJECT * len(every))}


def is_a_subject(answer: str, text: str) -> bool:
    """Whether a name of several words comes so often that the document is about it."""
    return answer[:1].isupper() and " " in answer and text.count(answer) > OFTEN


def is_common(answer: str, common: set[str]) -> bool:
    """Whether a capitalised word is no name: the document has it in small letters, too."""
    shouted = len(answer) > 3 and answer.isupper()
    return answer[:1].isupper() and answer.lower() in common and (answer[1:].islower() or shouted)


class Repeats:
    """Whether words come more than once in a document; long documents are not searched for each of them."""

    def __init__(self, text: str) -> None:
        plain = text.split()
        self._plain = f" {' '.join(plain)} "
        self._runs = Counter(zip(plain, plain[1:], plain[2:], plain[3:], strict=False))
        self._known: dict[str, bool] = {}

    def repeated(self, text: str) -> bool:
        """Whether some words, whole ones at their end, come twice or more."""
        words = text.split()
        # The first and the last may have a quote or a bracket at them elsewhere.
        if len(words) >= 6 and self._runs[words[1], words[2], words[3], words[4]] < 2:
            return False
        shown = " ".join(words)
        if shown not in self._known:
            self._known[shown] = self._searched(shown)
        return self._known[shown]

    def _searched(self, shown: str) -> bool:
        found, at = 0, self._plain.find(shown)
        while at >= 0 and found < 2:
            end = at + len(shown)
            found += not self._plain[end].isalnum()
            at = self._plain.find(shown, end)
        return found > 1


def key_sentences(every: list[Sentence]) -> set[Sentence]:
    """The half of the sentences whose words are most at home in the document.

    A sentence counts as much as its longer words occur elsewhere, on average: a plain measure of how
    central it is.
    """
    words = {each: set(re.findall(r"[a-z]{5,}", each.text.lower())) for each in every}
    spread = Counter(word for found in words.values() for word in found)

    def centrality(each: Sentence) -> float:
        found = words[each]
        return sum(spread[word] - 1 for word in found) / (len(found) + 2)

    ranked = sorted(every, key=lambda each: (-centrality(each), each.start))
    return set(ranked[: (len(ranked) + 1) // 2])


def choose(
    rng: random.Random, found: list[Candidate], questions: int, length: int
) -> list[Candidate]:
    """A choice in the proportions of ``MIX``, one from each sentence; higher ranks where no lower is left."""
    wanted = quotas(questions, MIX)
    supply = Counter(each.type for each in found)
    strata = Strata(rng, questions, length)
    left = [each for each in found if each.rank == 0]
    chosen: list[Candidate] = []

    def take(pool: list[Candidate]) -> None:
        one = strata.take(pool, lambda each: each.sentence.start + each.start)
        chosen.append(one)
        # Two gaps in one sentence may ask for the same words, or each show the other's answer.
        left[:] = [each for each in left if each.sentence != one.sentence]

    for name in sorted(wanted, key=lambda name: (supply[name] / max(1, wanted[name]), name)):
        for _ in range(wanted[name]):
            if pool := [each for each in left if each.type == name]:
                take(pool)
    for rank in (0, BRIEF, OPEN, GUESSED, LEANING):
        taken = {each.sentence for each in chosen}
        left[:] = [each for each in found if each.rank == rank and each.sentence not in taken]
        while len(chosen) < questions and left:
            take(left)
    return chosen


def _pair(document: Document, one: Candidate, provenance: dict[str, object]) -> Pair:
    sentence = one.sentence
    return Pair(
        question=one.question,
        answers=(one.answer,),
        type=one.type,
        evidence=(document.evidence(sentence.start, sentence.end),),
        answer_prefix=one.prefix,
        checks={"rule": "passed"},
        provenance=dict(provenance),
    )
