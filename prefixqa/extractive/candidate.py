"""A possible question of a sentence, and how sure it is to be a good one."""

from dataclasses import dataclass

from prefixqa.sentences import Sentence

GAP = "____"
# Ranks: those of a higher one are asked only where there is nothing better.
BRIEF = 1  # few words, so that others might replace them
OPEN = 2  # other words might end the sentence as well
GUESSED = 3  # a name or a number that one may guess
LEANING = 4  # the sentence needs the one before it


@dataclass(frozen=True)
class Candidate:
    """A possible question: the answer is ``sentence.text[start:end]``. ``rank``: 0 or one of the above."""

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

    @property
    def left(self) -> str:
        """The sentence before the answer."""
        return self.sentence.text[: self.start]

    @property
    def right(self) -> str:
        """The sentence behind the answer."""
        return self.sentence.text[self.end :]


def completion(type_: str, sentence: Sentence, start: int, end: int, rank: int = 0) -> Candidate:
    """The question that shows a sentence with a gap."""
    before, after = sentence.text[:start], sentence.text[end:]
    question = f"Which words of the document fill the gap in this sentence? {before}{GAP}{after}"
    prefix = f" {before.rstrip()}" if before else ""
    return Candidate(type_, sentence, start, end, question, prefix, rank)
