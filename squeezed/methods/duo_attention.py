"""DuoAttention (Xiao et al., arXiv 2410.10819): heads that read everything, and heads that do not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from squeezed.context.data import Context
from squeezed.context.window import window_weights
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import BudgetedMethod, Size
from squeezed.selection.selectors import Selector, Static


@dataclass(frozen=True)
class DuoAttention(BudgetedMethod):
    """KV heads by a number that the authors train for each: those with the largest keep every key.

    The size decides how many heads do. The last of them gets what is left, as more recent keys.

    Attributes:
        pattern: file of the authors' numbers, a line a layer, a number a KV head, with white space between.
            ``None``: a stand-in that is not theirs, the share of the window's attention that goes to neither
            sinks nor recent keys.
        sinks, local: first and last tokens of the context that every head keeps (authors' scripts: 64, 256).

    Raises:
        ValueError: a negative number; at ``bind``: the file does not fit the model.
        FileNotFoundError: no such file; at once.
    """

    pattern: str | None = None
    sinks: int = 64
    local: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sinks", "local"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more")
        if self.pattern is not None:
            _require_file(Path(self.pattern))  # now, before a model is loaded

    @property
    def caveat(self) -> str:
        if self.pattern is not None:
            return ""
        return (
            "heads are ranked by a stand-in (window attention to other keys), not by the authors' trained "
            "numbers; give their file for the model as pattern"
        )

    def kept_by_all(self, layer: LayerIndex) -> torch.Tensor:
        """Sinks and recent rows, boolean ``[H, M]``; the window is a part of the recent tokens."""
        last = max(0, layer.tokens - self.local)
        return layer.among_first(self.sinks) | (layer.positions >= last)

    def rows_always(self, layer: LayerIndex) -> int:
        first = min(self.sinks, layer.clustered)
        return first + max(0, layer.clustered - max(first, layer.tokens - self.local))

    def selectors(
        self, context: Context, first: int, size: Size, backend: str
    ) -> Sequence[Selector]:
        layers = context.layers[first:]
        everywhere = [self.kept_by_all(layer) for layer in layers]
        heads = sum(layer.heads for layer in layers)
        rows = float(size.rows(layers[0], 0.0))
        left = max(0, round((rows - self.rows_always(layers[0])) * heads))
        keeps = [each.clone() for each in everywhere]
        order = torch.cat(self._numbers(context, first)).argsort(descending=True, stable=True)
        places = [(layer, head) for layer, each in enumerate(layers) for head in range(each.heads)]
        for place in order.tolist():
            layer, head = places[place]
            positions, keep = layers[layer].positions[head], keeps[layer][head]
            latest = positions.masked_fill(keep, -1).argsort(descending=True, stable=True)
            more = min(left, int((~keep).sum()))
            keep[latest[:more]] = True
            left -= more
        return [Static(keep) for keep in keeps]

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        """Of one layer, as if those before it were dense."""
        return self.selectors(context, number, size, backend)[0]

    def _numbers(self, context: Context, first: int) -> list[torch.Tensor]:
        """A number for every head, ``[H]`` a layer from number ``first`` on."""
        numbers = range(first, len(context.layers))
        if self.pattern is None:
            return [
                context.derive(
                    ("duo", self.sinks, self.local, number),
                    partial(self._looked_at, context, number),
                )
                for number in numbers
            ]
        shape = [layer.heads for layer in context.layers]
        return read_pattern(Path(self.pattern), shape)[first:]

    def _looked_at(self, context: Context, number: int) -> torch.Tensor:
        layer = context.layers[number]
        near = self.kept_by_all(layer)
        weights = window_weights(layer, layer.window, "DuoAttention")
        return torch.stack(
            [own.mean((0, 1)).masked_fill(near[head], 0).sum() for head, own in enumerate(weights)]
        ).cpu()


def read_pattern(path: Path, heads: Sequence[int]) -> list[torch.Tensor]:
    """The numbers of a pattern file, ``[H]`` a layer.

    Args:
        heads: KV heads of each layer.

    Raises:
        FileNotFoundError: no such file. ValueError: a line that is not as many numbers as there are heads, or
            another number of lines than layers.
    """
    _require_file(path)
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(lines) != len(heads):
        raise ValueError(
            f"{path}: {len(lines)} lines, but the model has {len(heads)} layers with keys"
        )
    found = []
    for number, (line, count) in enumerate(zip(lines, heads, strict=True), start=1):
        try:
            values = [float(each) for each in line]
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}; expected numbers") from error
        if len(values) != count or not all(map(math.isfinite, values)):
            raise ValueError(
                f"{path}, line {number}: {len(values)} numbers; expected {count}, one a KV head"
            )
        found.append(torch.tensor(values))
    return found


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(
            f"pattern is {path}, which is no file; give the authors' file for the model"
        )
