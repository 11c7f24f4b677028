"""What stands around a prompt as token ids: what the tokenizer adds, and the parts of a chat template."""

from dataclasses import dataclass
from typing import Any

from rows.encode import LINE_END, around, encode, follow, near
from rows.turn import Wrapping, wrapping


@dataclass(frozen=True)
class Frame:
    """Token ids around the two parts of a prompt.

    The whole of it is::

        head + context + question + tail + answer_prefix

    and its ids are those that the tokenizer makes of the whole text, wherever a token ends at the border of
    context and question.

    Attributes:
        head: what the tokenizer puts in front of a text, such as BOS; or the opening of the chat template,
            which says itself whether there is a BOS.
        tail: the closing of the chat template up to where the model answers; empty without one.
        chat: whether there is a chat template, so that question and answer prefix are encoded apart.
        wrapping: its texts.
    """

    head: tuple[int, ...]
    tail: tuple[int, ...]
    chat: bool
    wrapping: Wrapping | None = None

    def __len__(self) -> int:
        return len(self.head) + len(self.tail)

    def fixed_ids(self, tokenizer: Any, context: str) -> tuple[list[int], list[int]]:
        """The ids of head and fixed context: together those of the whole text.

        The head can be a token shorter than ``head``, whose last token then goes on into the context.
        """
        if self.wrapping is None:
            return list(self.head), encode(tokenizer, context)
        if self.wrapping.strips_start:
            context = context.lstrip()
        both = encode(tokenizer, self.wrapping.opening + context)
        pairs = enumerate(zip(self.head, both, strict=False))
        shared = next((place for place, (one, other) in pairs if one != other), len(self.head))
        return both[:shared], both[shared:]

    def user_ids(
        self, tokenizer: Any, question: str, answer_prefix: str, context: str = LINE_END
    ) -> list[int]:
        """The user input's ids, everything behind the fixed context.

        Args:
            context: the fixed context, which may decide how the question's first word is cut.
        """
        before = near(context)
        if self.wrapping is None:
            return follow(tokenizer, before, question + answer_prefix)
        if self.wrapping.strips_end:
            question = question.rstrip()
        closing = self.wrapping.closing
        asked = follow(tokenizer, before, question + closing)
        return [*asked, *follow(tokenizer, near(closing), answer_prefix)]


def make_frame(tokenizer: Any, chat: bool = False) -> Frame:
    """The frame of a tokenizer: what it adds, or with ``chat`` its chat template around one user turn.

    Raises:
        ValueError: ``chat``, and the tokenizer has no chat template or one that cannot be used.
    """
    if not chat:
        return Frame(tuple(around(tokenizer)[0]), (), chat=False)
    found = wrapping(tokenizer)
    head, tail = (tuple(encode(tokenizer, part)) for part in (found.opening, found.closing))
    return Frame(head, tail, chat=True, wrapping=found)
