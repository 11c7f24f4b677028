"""Watches a method at work: keeps the queries of every layer and step, and what was selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from squeezed.context.data import Context
from squeezed.generation.greedy import generate
from squeezed.methods.base import Method
from squeezed.selection.kept import Selection
from squeezed.selection.selectors import Observing, Selector

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel


@dataclass
class WatchedSelector:
    """A selector whose steps are kept: queries ``[B, Hq, L, D]`` and the selection made for them."""

    selector: Selector
    steps: list[tuple[torch.Tensor, Selection | None]] = field(default_factory=list)

    @property
    def block(self) -> int | None:
        return self.selector.block

    def observe(
        self, query: torch.Tensor, valid: torch.Tensor | None, own: torch.Tensor, dense: bool
    ) -> None:
        if isinstance(self.selector, Observing):
            self.selector.observe(query, valid, own, dense)
        if dense:
            self.steps.append((query, None))

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection | None:
        selection = self.selector.select(query, valid)
        self.steps.append((query, selection))
        return selection


@dataclass(frozen=True)
class Watched(Method):
    """A method, watched; after one ``bind``, ``layers`` holds the selector of each layer."""

    method: Method
    layers: list[WatchedSelector] = field(default_factory=list)

    @property
    def question(self) -> str:
        return self.method.question

    def bind(self, context: Context, backend: str) -> Sequence[Selector]:
        self.layers[:] = [WatchedSelector(each) for each in self.method.bind(context, backend)]
        return self.layers


def input_passes(context: Context, question_ids: torch.Tensor) -> int:
    """Forward passes that a user input takes: one, or as many as it has tokens."""
    return question_ids.shape[-1] if context.restarts else 1


def watch(
    model: PreTrainedModel,
    context: Context,
    question_ids: torch.Tensor,
    method: Method,
    max_new_tokens: int,
    backend: str = "auto",
) -> list[list[tuple[torch.Tensor, Selection | None]]]:
    """Answers a user input and returns, for every layer, the queries and the selection of each step.

    Where several layers of the model attend to one layer's keys, it is those of the first of them.
    """
    watched = Watched(method)
    out = generate(
        model,
        context,
        question_ids,
        method=watched,
        max_new_tokens=max_new_tokens,
        backend=backend,
    )
    passes = input_passes(context, question_ids) + out.sequences.shape[1] - 1
    return [layer.steps[:: len(layer.steps) // passes] for layer in watched.layers]
