"""What became of a document's text when it was read and cleaned."""

from dataclasses import dataclass

MOST_REMOVED = 0.5  # share of the characters above which a document's line is a warning


@dataclass(frozen=True)
class Report:
    """Characters count without blanks, so that line ends and indentation do not.

    Attributes:
        characters_in: that the file holds for its reader, without markup.
        characters_out: of the cleaned text.
        notes: what could not be read as it should be.
    """

    characters_in: int
    characters_out: int
    notes: tuple[str, ...] = ()

    @property
    def removed(self) -> float:
        """The share that is gone, in [0, 1]."""
        return max(0.0, 1 - self.characters_out / max(1, self.characters_in))

    @property
    def warning(self) -> str | None:
        """What is wrong with so much missing; None below a half."""
        if self.removed <= MOST_REMOVED:
            return None
        return (
            f"{self.removed:.0%} of its characters were removed; look at its text before you use it"
        )

    def line(self, name: str) -> str:
        """One line about a document."""
        text = f"{name}: {self.characters_in} characters in, {self.characters_out} out"
        parts = [*([f"WARNING: {self.warning}"] if self.warning else []), *self.notes]
        return "; ".join([text, *parts])
