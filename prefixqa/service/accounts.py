"""What requests cost: counted as they are answered, and estimated before any is sent."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from prefixqa.service.reply import Response


@dataclass(frozen=True)
class Prices:
    """Price of a million tokens; None if it is not known."""

    tokens_in: float | None = None
    tokens_out: float | None = None

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """The cost of so many tokens; None if a price is not known."""
        if self.tokens_in is None or self.tokens_out is None:
            return None
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


@dataclass
class Accounts:
    """Requests of this set by kind: answered now, taken from the store, and their tokens.

    ``failures``: answers that were of no use, by kind. ``troubles``: attempts without an answer.
    ``estimated``: answers whose tokens the service did not count.
    """

    prices: Prices = field(default_factory=Prices)
    sent: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    tokens_in: int = 0
    tokens_out: int = 0
    new_in: int = 0
    new_out: int = 0
    estimated: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, response: Response, new: bool) -> None:
        """Counts a response; ``new``: it was paid now."""
        (self.sent if new else self.kept)[kind] += 1
        self.tokens_in += response.tokens_in
        self.tokens_out += response.tokens_out
        self.estimated += response.estimated
        if new:
            self.new_in += response.tokens_in
            self.new_out += response.tokens_out

    def summary(self) -> dict[str, Any]:
        """Everything for the manifest. Tokens and cost are those of the whole set, paid now or before."""
        return {
            "requests": dict(sorted((self.sent + self.kept).items())),
            "requests_now": self.sent.total(),
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "tokens_in_now": self.new_in,
            "tokens_out_now": self.new_out,
            "estimated": self.estimated,
            "cost": self.prices.cost(self.tokens_in, self.tokens_out),
            "cost_now": self.prices.cost(self.new_in, self.new_out),
            "failures": dict(sorted((self.failures + self.troubles).items())),
        }

    def line(self) -> str:
        """The summary for the terminal."""
        total = self.summary()
        text = (
            f"requests: {self.sent.total()} sent, {self.kept.total()} from the store; tokens: "
            f"{self.tokens_in} in, {self.tokens_out} out ({self.new_in} and {self.new_out} now)"
        )
        if total["cost"] is not None:
            text += f"; cost: {total['cost']:.4f} ({total['cost_now']:.4f} now)"
        if self.estimated:
            text += (
                f"; the service does not count: tokens of {self.estimated} answers are estimated"
            )
        if total["failures"]:
            text += "; failures: " + ", ".join(f"{k} {n}" for k, n in total["failures"].items())
        return text
