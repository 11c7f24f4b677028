"""A chat template around one user turn, and what it is given.

A system turn, arguments of its own, and a date that stands still.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Templates may write today's date. It would make tomorrow's half of a run another prompt, and two runs of one
# setting incomparable, so it is this day at all times: the one that Llama's templates write without a clock.
DATE = datetime(2024, 7, 26)
CLOCK = "strftime_now"  # the function by which templates ask
_OTHER_DATE = datetime(1999, 12, 31, 23, 59, 58)
_CODES = (*(f"-{code}" for code in "dmHIMSjy"), *"aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%")
_MARKER = "XcontentX"
_BLANKS = " \n", "\n "
_OURS = {
    *(
        "conversation",
        "chat_template",
        "add_generation_prompt",
        "continue_final_message",
        "tokenize",
    ),
    *("padding", "truncation", "max_length", "return_tensors", "return_dict", "messages"),
    *("return_assistant_tokens_mask", "tokenizer_kwargs", "sanitize_control_tokens", CLOCK),
}
_TURN = "_suite_turn"  # attribute of a tokenizer


@dataclass(frozen=True)
class Turn:
    """What a chat template is given beside the prompt.

    Attributes:
        system: text of a system turn before the user's; None: no such turn.
        arguments: further variables of the template, such as ``{"enable_thinking": false}``, as JSON text.
    """

    system: str | None = None
    arguments: str = "{}"

    @classmethod
    def of(cls, system: str | None, arguments: Mapping[str, Any] | None) -> "Turn":
        """A turn of settings.

        Raises:
            ValueError: an argument that the suite gives itself, or one that JSON cannot hold.
        """
        if taken := _OURS.intersection(arguments or {}):
            raise ValueError(f"chat_template_kwargs: {min(taken)} is given by the suite itself")
        try:
            return cls(system, json.dumps(arguments or {}, sort_keys=True, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ValueError(f"chat_template_kwargs: {error}") from error


NO_TURN = Turn()


@dataclass(frozen=True)
class Wrapping:
    """What a template puts around the text of a user turn.

    Attributes:
        opening, closing: the text before and behind it, up to where the model answers.
        strips_start, strips_end: blanks at that end of the user's text are dropped.
        dated: the template wrote the date.
    """

    opening: str
    closing: str
    strips_start: bool
    strips_end: bool
    dated: bool


def give(tokenizer: Any, turn: Turn) -> None:
    """Makes all prompts in this tokenizer's chat template have the turn's system text and arguments."""
    setattr(tokenizer, _TURN, turn)


def wrapping(tokenizer: Any) -> Wrapping:
    """What the tokenizer's chat template puts around a user turn.

    The template is cut at a marker, so nothing in a prompt can be mistaken for a part of the template.

    Raises:
        ValueError: there is no chat template, it fails, does not wrap, or does not use what it is given.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError("the tokenizer has no chat template; ask without one (chat=false)")
    turn: Turn = getattr(tokenizer, _TURN, NO_TURN)
    text = _render(tokenizer, turn, _MARKER)
    parts = text.split(_MARKER)
    if len(parts) != 2:
        raise ValueError(
            f"the chat template repeats the user's text {len(parts) - 1} times; expected once"
        )
    opening, closing = parts
    if turn.system is not None and turn.system.strip() not in text:
        raise ValueError("the chat template drops the system turn (model.system); set none")
    padded = _render(tokenizer, turn, _MARKER.join(_BLANKS)).split(_MARKER)
    dated = text != _render(tokenizer, turn, _MARKER, _OTHER_DATE)
    return Wrapping(opening, closing, padded[0] == opening, padded[-1] == closing, dated)


def _render(tokenizer: Any, turn: Turn, content: str, date: datetime = DATE) -> str:
    """The template's text around a user turn.

    Raises:
        ValueError: it fails, or has none of the variables it is given.
    """
    source = str(tokenizer.chat_template)
    arguments = json.loads(turn.arguments)
    if unknown := [name for name in arguments if name not in source]:
        raise ValueError(
            f"the chat template has no variable {unknown[0]} (model.chat_template_kwargs)"
        )
    turns = [] if turn.system is None else [{"role": "system", "content": turn.system}]
    turns.append({"role": "user", "content": content})
    try:
        if CLOCK in source:
            arguments["chat_template"] = _clock(date) + tokenizer.get_chat_template()
        return str(
            tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **arguments
            )
        )
    except Exception as error:  # the template is a program, and may fail in any way
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"the chat template fails: {reason}") from error


def _clock(date: datetime) -> str:
    """The head of a template in which the clock stands still.

    Written in the template's own language: transformers gives a template the text of a function, not the
    function. The line end belongs to the block before it, so that nothing is added to what follows.
    """
    filters = "".join(f"|replace({'%' + code!r},{date.strftime('%' + code)!r})" for code in _CODES)
    return f"{{%- macro {CLOCK}(format) -%}}{{{{ format{filters} }}}}{{%- endmacro %}}\n"
