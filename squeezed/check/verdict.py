"""What is said of a model: exact, refused and why, or what went wrong."""

from dataclasses import dataclass

EXACT = "exact"
REFUSED = "refused"
WRONG = "wrong"
CRASHED = "crashed"
UNBUILDABLE = "not built"
OUTCOMES = (EXACT, REFUSED, WRONG, CRASHED, UNBUILDABLE)


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check.

    Attributes:
        outcome: one of ``OUTCOMES``.
        reason: why it was refused, what differs, or the error; for exact ones what to know, or empty.
        difference: largest difference of logits seen, over their largest size if that is above 1; ``None``
            where none was computed.
        layers: the kinds of decoder layers, in words.
    """

    outcome: str
    reason: str = ""
    difference: float | None = None
    layers: str = ""

    def line(self) -> str:
        """One line for people."""
        text = self.outcome
        if self.difference is not None:
            text += f", logits differ by {self.difference:.1e} at most"
        return f"{text}: {self.reason}" if self.reason else text
