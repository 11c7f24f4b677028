"""Where a prompt of the harness is cut: its fixed context in front, the user input behind.

The harness hands over finished prompts. What of a prompt is fixed is told in one of three ways (``Cut``). The
token ids are always those of the whole prompt, as the harness's own model would see them; only the place is
chosen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.config.errors import InputError

SHARED = 0.5  # least share of a prompt that another prompt must have, to be of one group with it

Encode = Callable[[str], Sequence[int]]


class NothingFixedError(InputError):
    """A task without a fixed context: nothing that could be prefilled once."""


@dataclass(frozen=True)
class Prompt:
    """One prompt of a task.

    Attributes:
        task, document: the task's name, and the number of its document.
        text: the whole prompt. ids: its tokens. fields: the document's own, by name.
    """

    task: str
    document: int
    text: str
    ids: tuple[int, ...]
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Cut:
    """How the fixed context is found.

    Attributes:
        field: names of document fields, the first that a document has counts: the prompt is fixed up to the
            end of that field's text. marker: the prompt is fixed up to the last place where this text begins.
            Neither: up to where the prompts of a task that have most in common differ.
        window: tokens of the observation window; a fixed context must be longer.
    """

    field: tuple[str, ...] = ()
    marker: str | None = None
    window: int = 100

    def places(self, prompts: Sequence[Prompt], encode: Encode) -> list[int]:
        """How many first tokens of each prompt are its fixed context; at least one token is left behind them.

        Args:
            prompts: of any tasks. encode: text to token ids, as the prompts were made.

        Raises:
            NothingFixedError: a prompt without a fixed context of more than ``window`` tokens.
        """
        if self.field or self.marker is not None:
            found = [self._in_text(each, encode) for each in prompts]
        else:
            found = _shared(prompts)
        places = [min(place, len(each.ids) - 1) for place, each in zip(found, prompts, strict=True)]
        for each, place in zip(prompts, places, strict=True):
            if place <= self.window:
                raise NothingFixedError(
                    f"task {each.task}, document {each.document}: its fixed context would have {place} "
                    f"tokens, and the observation window, which is always read, has {self.window}; take "
                    "a task with longer contexts, or set window=N"
                )
        return places

    def _in_text(self, prompt: Prompt, encode: Encode) -> int:
        head = prompt.text[: self._end(prompt)]
        return len(_common(tuple(encode(head)), prompt.ids))

    def _end(self, prompt: Prompt) -> int:
        """The place in the prompt's text where its fixed part ends."""
        where = f"task {prompt.task}, document {prompt.document}"
        if self.marker is not None:
            place = prompt.text.rfind(self.marker)
            if place < 0:
                raise NothingFixedError(f"{where}: marker={self.marker!r} is not in its prompt")
            return place
        name = next((each for each in self.field if each in prompt.fields), None)
        if name is None:
            raise NothingFixedError(
                f"{where}: no field {' or '.join(self.field)}; it has {', '.join(prompt.fields)}"
            )
        text = prompt.fields[name]
        text = text.strip() if isinstance(text, str) else ""
        place = prompt.text.rfind(text)
        if not text or place < 0:
            raise NothingFixedError(
                f"{where}: the text of its field {name} is not in its prompt as it is; use marker=TEXT"
            )
        return place + len(text)


def _shared(prompts: Sequence[Prompt]) -> list[int]:
    """The length of what each prompt shares with its group; a group is of one task.

    Groups are made along the prompts in the order of their ids: a prompt belongs to the group before it if at
    least half of the shorter prompt stays common to all.
    """
    documents: dict[tuple[str, int], list[tuple[int, ...]]] = {}
    for each in prompts:
        documents.setdefault((each.task, each.document), []).append(each.ids)
    # Prompts of one document (one for each choice, say) say nothing of what is fixed.
    common = {key: _common(*ids) for key, ids in documents.items()}
    found: dict[tuple[str, int], int] = {}
    for task in dict.fromkeys(name for name, _ in common):
        own = sorted((ids, key) for key, ids in common.items() if key[0] == task)
        groups: list[tuple[tuple[int, ...], list[tuple[str, int]]]] = []
        for ids, key in own:
            start = _common(groups[-1][0], ids) if groups else ()
            if groups and len(start) >= SHARED * min(len(ids), _shortest(groups[-1][1], common)):
                groups[-1] = (start, [*groups[-1][1], key])
            else:
                groups.append((ids, [key]))
        alone = [key for _, keys in groups if len(keys) == 1 for key in keys]
        if alone:
            raise NothingFixedError(
                f"task {task}: nothing is fixed, {len(alone)} of {len(own)} prompts share less than half "
                f"with any other (document {alone[0][1]}, for one); say what is fixed with "
                "context_field=NAME or marker=TEXT, or take a task that asks its documents more than once"
            )
        found |= {key: len(ids) for ids, keys in groups for key in keys}
    return [found[each.task, each.document] for each in prompts]


def _common(*sequences: tuple[int, ...]) -> tuple[int, ...]:
    """The longest beginning of all of them; it is that of the first and the last in order."""
    first, last = min(sequences), max(sequences)
    for place, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return first[:place]
    return first


def _shortest(
    keys: Sequence[tuple[str, int]], common: Mapping[tuple[str, int], Sequence[int]]
) -> int:
    return min(len(common[key]) for key in keys)
