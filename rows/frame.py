"""What stands around a prompt as token ids: BOS, and the parts of a chat template."""

from dataclasses import dataclass
from typing import Any

_MARKER = "XcontentX"  # no blanks at its ends: templates strip what they wrap


@dataclass(frozen=True)
class Frame:
    """Token ids around the two parts of a prompt.

    The whole of it is::

        head + context + question + tail + answer_prefix

    Attributes:
        head: BOS, or the opening of the chat template, which says itself whether there is a BOS.
        tail: the closing of the chat template up to where the model answers; empty without one.
        chat: whether there is a chat template, so that question and answer prefix are encoded apart.
    """

    head: tuple[int, ...]
    tail: tuple[int, ...]
    chat: bool

    def __len__(self) -> int:
        return len(self.head) + len(self.tail)

    def user_ids(self, tokenizer: Any, question: str, answer_prefix: str) -> list[int]:
        """The user input's ids, everything behind the fixed context."""
        if not self.chat:
            return encode(tokenizer, question + answer_prefix)
        return [*encode(tokenizer, question), *self.tail, *encode(tokenizer, answer_prefix)]


def make_frame(tokenizer: Any, chat: bool = False) -> Frame:
    """The frame of a tokenizer: its BOS, or with ``chat`` its chat template around one user turn.

    The template is cut at a marker and its parts are encoded, so nothing in the prompt can be
    mistaken for a part of the template, and BOS is there as often as the template has it: once.

    Raises:
        ValueError: ``chat``, and the tokenizer has no chat template or one that does not wrap.
    """
    if not chat:
        bos = tokenizer.bos_token_id
        return Frame(() if bos is None else (bos,), (), chat=False)
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError("the tokenizer has no chat template; ask without one (chat=false)")
    turn = [{"role": "user", "content": _MARKER}]
    text = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    parts = text.split(_MARKER)
    if len(parts) != 2:
        raise ValueError(
            f"the chat template repeats the user's text {len(parts) - 1} times; expected once"
        )
    head, tail = (tuple(encode(tokenizer, part)) for part in parts)
    return Frame(head, tail, chat=True)


def encode(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text alone, without special tokens around it."""
    # verbose=False: a text beyond the model's own length is no mistake here, so no warning.
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
