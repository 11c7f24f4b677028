"""Where text may be cut so that the tokens of the parts are those of the whole, by tokenizers' rules."""

import re
from dataclasses import dataclass

# Stand before a chunk that is counted alone, since some tokenizers add a blank to what begins a text; the
# letter where a line end would be joined with the blanks behind it.
ANCHOR, LETTER = "\n", "x"
BORDER = "\0"  # between compounds in one text
# Keys and values are mostly new, but of pieces seen before: words, digits in groups of three.
COMPOUND = re.compile(r" ?[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*[.,]?\n*")
COMPOUNDS = re.compile(f"{COMPOUND.pattern}(?:{BORDER}{COMPOUND.pattern})*")
PIECES = tuple(
    re.compile(rf" ?{digits}| ?-?[A-Za-z]+|-|[.,\n]+|{BORDER}")
    for digits in ("[0-9]{1,3}", "[0-9]+")
)


@dataclass(frozen=True)
class Rule:
    """A way to cut text into chunks.

    Attributes:
        chunk: matches one; together they are the whole text.
        probe: a text that shows whether a tokenizer's tokens end where chunks end: the same needles as in the
            tasks, and what the rule is about.
        keeps_blanks: a chunk that begins with blanks is counted as behind a letter.
    """

    chunk: re.Pattern[str]
    probe: str
    keeps_blanks: bool

    def before(self, chunk: str) -> str:
        """What a chunk is counted behind."""
        return LETTER if self.keeps_blanks and chunk[0] in " \n" else ANCHOR

    def joinable(self, chunk: str) -> bool:
        """Whether a chunk can be counted in one text with others of this kind."""
        if self.keeps_blanks:
            return chunk[0] == " " and chunk[1:2] not in ("", " ", "\n") and chunk[-1] not in " \n"
        return chunk[0] == " "

    def starts(self) -> set[int]:
        """Where the chunks of the probe begin."""
        return {each.start() for each in self.chunk.finditer(self.probe)}

    def piece_starts(self, pieces: re.Pattern[str]) -> set[int]:
        """Where the compounds of the probe would be cut into pieces."""
        found = self.chunk.finditer(self.probe)
        return {
            compound.start() + piece.start()
            for compound in found
            if COMPOUND.fullmatch(compound[0])
            for piece in pieces.finditer(compound[0])
        }

    def is_cut_at(self, starts: set[int], cuts: set[int]) -> bool:
        """Whether the probe is cut at all of ``starts``; a rule that drops blanks cuts behind them."""
        return all(
            start in cuts or (self.probe[start] == " " and start + 1 in cuts) for start in starts
        )


PROBE = (
    'A word.\n17. calm-otter has 4711042.\nSET AB = 12\n\nIt is "so?" (1) x, and y\n'
    " 0b6c3f2e-12ab-4c56-9def-abcdef012345 is 6749734,\n x1-2y a-1 1-a 33333-4444-B"
)
# A word with the blanks before it and the line ends behind it: a blank begins a token, and punctuation may
# take a line end with it. So for tiktoken's rules.
WORDS = Rule(re.compile(r" +[^ \n]*\n*|[^ \n]+\n*|\n+"), PROBE, keeps_blanks=False)
# GPT-2's rule leaves the last blank or line end of several to the word behind them. So words stay in one
# chunk that have several between them, a line end among these. The first alternative is short, for most.
BOUND_WORDS = Rule(
    re.compile(
        r" ?[^ \n]+(?:(?= [^ \n])|\n(?=[^ \n]))"
        r"|[ \n]*[^ \n]+(?:(?: *\n[ \n]+| +\n)[^ \n]+)*(?:\n(?![ \n])|[ \n]+\Z)?|[ \n]+"
    ),
    f"{PROBE}\n\n  Two  blanks\n and \nlines.\n\n\n  Of\n\n- code:\n    x = 1 \n\n",
    keeps_blanks=True,
)
RULES = (WORDS, BOUND_WORDS)
