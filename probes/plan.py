"""The checked settings of rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probes.find import Subtask, find
from probes.sample import Draw, Request
from rows.tokens import TokenCounter

GENERATOR = "1"  # of all sets: one that makes other rows than before gives it another number


@dataclass(frozen=True)
class Plan:
    """All settings of rows, checked.

    Attributes:
        count: questions of each kind on a context. length: tokens of a whole row, answer included.
        samples: contexts. empty: the questions alone, on a short context without evidence.
    """

    subtask: Subtask
    tokens: TokenCounter
    length: int
    samples: int
    count: int
    seed: int
    empty: bool = False

    @property
    def label(self) -> str:
        """The subtask's name in results."""
        return self.subtask.label + ("-empty" if self.empty else "")

    def draw(self, index: int) -> Draw:
        """The random choices of sample ``index``. They do not depend on which kinds are asked, so that all
        subtasks of a set share their contexts."""
        seed = f"{self.seed}/{self.subtask.set.name}/{self.length}/{index}"
        return self.subtask.set.draw(Request(seed, self.count, self.subtask.options))

    def settings(self) -> dict[str, Any]:
        """What decides the text of the rows, as it stands in every row's ``meta``."""
        return {
            "set": self.subtask.set.name,
            "length": self.length,
            "seed": self.seed,
            "prompts": "suite",
            "questions_of_a_kind": self.count,
            "empty": self.empty,
            **dict(self.subtask.options),
            **dict(self.subtask.set.data()),
            "chat": self.tokens.frame.chat,
            "tokenizer_fingerprint": self.tokens.fingerprint,
            "generator": GENERATOR,
        }


def make_plan(
    subtask: str,
    tokenizer: Any,
    length: int,
    samples: int,
    questions_per_context: int = 20,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    empty: bool = False,
    chat: bool = False,
) -> Plan:
    """Checks the settings of rows; arguments and errors are those of ``generate``."""
    sizes = {
        "length": length,
        "samples": samples,
        "questions_per_context": questions_per_context,
    }
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; expected at least 1")
    if questions_per_context > length:  # each is about something in the context
        raise ValueError(
            f"questions_per_context is {questions_per_context}; expected at most length={length}"
        )
    found = find(subtask, options or {})
    counter = tokenizer if isinstance(tokenizer, TokenCounter) else TokenCounter(tokenizer, chat)
    return Plan(found, counter, length, samples, questions_per_context, seed, empty)
