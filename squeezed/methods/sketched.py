"""What methods share that find single keys by a small copy of each: a sketch.

A sketch is three things: a copy of the keys that logits are estimated with, a map of the query to it, and the
bytes that reading it takes. Everything else - rules, sizes, accounting, keys that are always kept - is here.
"""

import abc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import torch
from squeezed_kernels import Ranked, lookup

from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Size
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.selection.kept import Selection

QueryMap = Callable[[torch.Tensor, torch.Tensor | None, int | None], torch.Tensor]


@dataclass(frozen=True)
class Lookup:
    """How a layer's log scores are made of logits.

    Attributes:
        scale, softcap: the layer's. block, reduce: the method's. backend: of the kernels.
    """

    scale: float
    softcap: float | None
    block: int | None
    reduce: str
    backend: str


class Scorer(Protocol):
    """What finds keys of one layer, in cluster order."""

    def log_scores(
        self, query: torch.Tensor, valid: torch.Tensor | None, how: Lookup
    ) -> torch.Tensor:
        """``[B, H, T, M]`` of a query ``[B, Hq, L, D]`` and its tokens that are no padding ``[B, L]``."""
        ...


@dataclass(frozen=True)
class Sketch:
    """A copy of the clustered keys of one layer, in cluster order.

    Attributes:
        keys: ``[H, M, R]``, as the bytes that are read decode to.
        query: from ``[B, Hq, L, D]``, the tokens that are no padding ``[B, L]`` (or ``None``) and the block,
            to ``[B, Hq, L, R]``; a logit is the layer's scale times the product with a key of the copy.
    """

    keys: torch.Tensor
    query: QueryMap

    def log_scores(
        self, query: torch.Tensor, valid: torch.Tensor | None, how: Lookup
    ) -> torch.Tensor:
        counts = torch.ones(self.keys.shape[:2], dtype=torch.int32, device=self.keys.device)
        return lookup(
            self.query(query, valid, how.block).to(self.keys.dtype),
            self.keys,
            counts,
            how.scale,
            softcap=how.softcap,
            block=how.block,
            reduce=how.reduce,
            valid=valid,
            backend=how.backend,
        )


def as_it_is(query: torch.Tensor, valid: torch.Tensor | None, block: int | None) -> torch.Tensor:
    """The map of sketches that live in the space of the keys."""
    return query


@dataclass(frozen=True)
class SketchedMethod(RuledMethod):
    """A lookup over sketches of single keys.

    Attributes:
        rule: ``topk``, or ``topp`` with an explicit ``top_p``; there is no calibration.
        sinks: first tokens that are always kept, and count towards the size.

    Raises:
        ValueError: another rule, or a negative number.
    """

    calibrated: ClassVar[bool] = False

    rule: str = "topk"
    sinks: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sinks < 0:
            raise ValueError(f"sinks is {self.sinks}; expected 0 or more")

    @abc.abstractmethod
    def sketch(self, layer: LayerIndex) -> Scorer:
        """The sketch of a layer's keys."""

    @abc.abstractmethod
    def sketch_bytes(self, layer: LayerIndex) -> float:
        """Bytes of it that a lookup reads, of one KV head."""

    def lookup_floor(self, layer: LayerIndex) -> float:
        return self.sketch_bytes(layer) / token_bytes(layer)

    def rows_always(self, layer: LayerIndex) -> int:
        return min(self.sinks, layer.clustered)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> "SketchSelector":
        layer = context.layers[number]
        alike = replace(
            self, sparsity=0.0, kv_budget=None, kv_tokens=None, top_p=None, rule="topk", block=None
        )
        key = ("sketch", type(self).__name__, alike, number)
        found = context.derive(key, lambda: self.sketch(layer))
        always, read = layer.among_first(self.sinks), self.lookup_floor(layer)
        counts = torch.ones(always.shape, dtype=torch.int32, device=layer.device)
        plain = self.rule == "topk" and not self.sinks
        rows = size.rows(layer, read).item() if plain else None
        rule = Rule(self, size, layer, number)
        return SketchSelector(rule, found, always, read, backend, counts, rows)


@dataclass(frozen=True)
class RankedSketch(SketchedMethod):
    """Sketches that have ``rank`` numbers of the keys' type for each key.

    Attributes:
        rank: numbers; ``None``: a quarter of the head size.

    Raises:
        ValueError: below 1.
    """

    rank: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rank is not None and self.rank < 1:
            raise ValueError(f"rank is {self.rank}; expected at least 1")

    def numbers(self, layer: LayerIndex) -> int:
        """Numbers of a key that a lookup reads."""
        size = layer.keys.shape[2]
        return min(size, self.rank if self.rank is not None else max(1, size // 4))

    def sketch_bytes(self, layer: LayerIndex) -> float:
        return layer.clustered * self.numbers(layer) * layer.keys.itemsize


def token_bytes(layer: LayerIndex) -> int:
    """Bytes of a token's key and value in one KV head."""
    return sum(each.shape[2] * each.itemsize for each in (layer.keys, layer.values))


@dataclass(frozen=True)
class SketchSelector:
    """The lookup on one layer.

    Attributes:
        always: rows that are kept whatever they score, boolean ``[H, M]``. read: tokens that a lookup reads.
        counts: a key is a group of its own, int32 ones ``[H, M]``. rows: to keep of each head, where that is
            all there is to know; else ``None``.
    """

    rule: Rule
    sketch: Scorer
    always: torch.Tensor
    read: float
    backend: str
    counts: torch.Tensor
    rows: float | None

    @property
    def block(self) -> int | None:
        return self.rule.block

    def ranked(self, query: torch.Tensor) -> tuple[Ranked, float] | None:
        if self.rows is None:
            return None
        scores = self._scores(query, None)
        return Ranked(self.counts, None, self.rows, log_scores=scores), self.read

    def _scores(self, query: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        layer = self.rule.layer
        how = Lookup(layer.scale, layer.softcap, self.block, self.rule.method.reduce, self.backend)
        return self.sketch.log_scores(query, valid, how)

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        scores = self._scores(query, valid)
        keep = keep_with(self.rule, scores, self.counts, self.read, self.always)
        return Selection(keep, None, self.read, self.block)


def keep_with(
    rule: Rule,
    log_scores: torch.Tensor,
    counts: torch.Tensor,
    read: torch.Tensor | float,
    always: torch.Tensor,
) -> torch.Tensor:
    """What a rule without calibration keeps, boolean ``[B, H, T, C]``; of a size, the groups ``always``
    ``[H, C]`` take their part, and a mass is that of the others."""
    first = always[None, :, None]
    if rule.method.rule == "topk":
        log_scores = log_scores.masked_fill(first, torch.inf)
    keep = rule.keep(log_scores, counts, read, rule.size.as_sparsity(rule.layer, 0.0), None)
    return keep | first


def quantised(values: torch.Tensor, bits: int, dim: int) -> torch.Tensor:
    """Values as they come back from so many bits each, between the smallest and the largest along ``dim``.

    Args:
        values: any shape, computed in float32. bits: of each value. dim: along which one zero point and one
            step are shared.
    """
    values = values.float()
    low, high = values.aminmax(dim=dim, keepdim=True)
    step = ((high - low) / (2**bits - 1)).clamp(min=torch.finfo(torch.float32).tiny)
    return ((values - low) / step).round() * step + low
