"""Statistics of the fixed context beyond keys, values and window queries, which some methods need.

A method class names what it needs (``Method.needs``). Each statistic costs time in the prefill and bytes in
the index, so it is collected only where it is asked for. All of them are collected in one pass, chunk by
chunk; only what is learnt from a replay of the context takes passes of its own.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from squeezed_kernels import capped, causal_mask

from squeezed.errors import UnsupportedModelError
from squeezed.model.logits import Logits
from squeezed.model.rotation import Rotation

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

QUERY_BLOCK = 256  # queries whose attention weights are held at once while they are summed
FIRST_QUERY = 4  # the queries of the first tokens are unlike all others, and are no sample of them
FUTURE = 512  # positions behind the context over which an expected query's rotation is averaged
DISTANCE = 2048  # of the token behind the context to keys that are all turned to one position


@dataclass(frozen=True)
class Statistic:
    """What a statistic is.

    Attributes:
        by_key: a number for each key, float32 ``[H, N]``; else one of each query head, with
        sizes: so many dimensions of the head size D: ``[Hq, D]`` or ``[Hq, D, D]``, float32; or of each key
            ``[H, N, D]``, in the keys' own type.
    """

    by_key: bool
    sizes: int = 0


RECEIVED_ATTENTION = "received_attention"  # by all queries, summed up; mean over the query heads
OUTPUT_NORM = (
    "output_norm"  # L1 norm of the value behind the output projection; mean over query heads
)
EXPECTED_QUERY_MEAN = (
    "expected_query_mean"  # of queries before RoPE, turned as the next tokens' are
)
EXPECTED_QUERY_COVARIANCE = "expected_query_covariance"
REPLAY_ATTENTION = "replay_attention"  # most that a key gets while the context is read again
TURNED_KEYS = "turned_keys"  # keys as if all stood 2,048 positions before the end of the context
ROTATED = (EXPECTED_QUERY_MEAN, EXPECTED_QUERY_COVARIANCE, TURNED_KEYS)  # undo the rotary embedding

STATISTICS: Mapping[str, Statistic] = {
    RECEIVED_ATTENTION: Statistic(by_key=True),
    OUTPUT_NORM: Statistic(by_key=True),
    EXPECTED_QUERY_MEAN: Statistic(by_key=False, sizes=1),
    EXPECTED_QUERY_COVARIANCE: Statistic(by_key=False, sizes=2),
    REPLAY_ATTENTION: Statistic(by_key=True),
    TURNED_KEYS: Statistic(by_key=True, sizes=1),
}


def statistics_for(needs: Iterable[str]) -> tuple[str, ...]:
    """The ``statistics`` of ``squeezed.prepare`` for methods that need these, each once and in one order.

    Raises:
        ValueError: a statistic that the prefill does not know.
    """
    asked = set(needs)
    unknown = sorted(asked - STATISTICS.keys())
    if unknown:
        raise ValueError(
            f"needs names {', '.join(unknown)}; statistics of the prefill are {', '.join(STATISTICS)}"
        )
    return tuple(name for name in STATISTICS if name in asked)


@dataclass(frozen=True)
class Chunk:
    """What one layer of the model attended to in one pass of the prefill.

    Attributes:
        module: its attention module. query: ``[Hq, L, D]``. keys, values: of all so far, ``[H, T, D]``.
        start: position of the first query. turn: number of the layer among those that share the keys.
        logits: scale, cap and sinks.
    """

    module: torch.nn.Module
    query: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor
    start: int
    turn: int
    logits: Logits


class Collector(abc.ABC):
    """Gathers statistics of one layer, chunk by chunk."""

    @abc.abstractmethod
    def add(self, chunk: Chunk) -> None:
        """Takes the next chunk into account."""

    @abc.abstractmethod
    def found(self) -> dict[str, torch.Tensor]:
        """The statistics after the last chunk, by name."""


def collectors(names: Sequence[str], model: PreTrainedModel, total: int) -> list[Collector]:
    """Collectors of one layer for these statistics; ``total``: tokens of the context."""
    made: list[Collector] = []
    if RECEIVED_ATTENTION in names:
        made.append(ReceivedAttention(total))
    if OUTPUT_NORM in names:
        made.append(OutputNorm())
    if EXPECTED_QUERY_MEAN in names or EXPECTED_QUERY_COVARIANCE in names:
        made.append(ExpectedQueries(Rotation(model), total))
    if TURNED_KEYS in names:
        made.append(TurnedKeys(Rotation(model), total))
    return made


class ReceivedAttention(Collector):
    """Attention that each key receives from all queries that see it. Takes as long as the prefill again."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.received: torch.Tensor | None = None

    def add(self, chunk: Chunk) -> None:
        heads, query = len(chunk.keys), chunk.query
        if self.received is None:
            self.received = torch.zeros(heads, self.total, device=query.device)
        keys = chunk.keys.float()
        grouped = query.float().unflatten(0, (heads, -1))  # [H, G, L, D]
        for first in range(0, query.shape[1], QUERY_BLOCK):
            block = grouped[:, :, first : first + QUERY_BLOCK]
            seen = chunk.start + first + block.shape[2]
            logits = chunk.logits.scale * block @ keys[:, None, :seen].transpose(2, 3)
            logits = capped(logits, chunk.logits.softcap)
            causal = causal_mask(block.shape[2], seen, query.device)
            logits = logits.masked_fill(~causal, -torch.inf)
            weights = logits.softmax(-1)
            if chunk.logits.sinks is not None:  # which takes its share from all keys
                sinks = chunk.logits.sinks.float().view(heads, -1, 1)
                weights = weights * torch.sigmoid(logits.logsumexp(-1) - sinks).unsqueeze(-1)
            self.received[:, :seen] += weights.mean(1).sum(1)

    def found(self) -> dict[str, torch.Tensor]:
        assert self.received is not None
        return {RECEIVED_ATTENTION: self.received}


class OutputNorm(Collector):
    """How much a token's value adds to the layer's output: the L1 norm behind the output projection."""

    NAMES = ("o_proj", "out_proj", "dense", "wo", "c_proj")  # that models give the projection

    def __init__(self) -> None:
        self.parts: list[torch.Tensor] = []

    def add(self, chunk: Chunk) -> None:
        if chunk.turn > 0:  # of layers that share keys and values, the first
            return
        values = chunk.values[:, chunk.start :].float()  # [H, L, D]
        heads = len(values)
        group = len(chunk.query) // heads
        weight = self._weight(chunk.module, len(chunk.query) * values.shape[2])
        by_head = weight.float().unflatten(1, (heads, group, values.shape[2]))  # [E, H, G, D]
        norms = [
            torch.stack([(own @ by_head[:, head, g].T).abs().sum(-1) for g in range(group)]).mean(0)
            for head, own in enumerate(values)
        ]
        self.parts.append(torch.stack(norms))

    def _weight(self, module: torch.nn.Module, size: int) -> torch.Tensor:
        for name in self.NAMES:
            weight = getattr(getattr(module, name, None), "weight", None)
            if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
                continue
            if weight.ndim == 2 and weight.shape[1] == size:
                return weight
        raise UnsupportedModelError(
            f"{type(module).__name__} has no output projection [E, {size}] in floating point, which the "
            f"statistic {OUTPUT_NORM} is made of"
        )

    def found(self) -> dict[str, torch.Tensor]:
        return {OUTPUT_NORM: torch.cat(self.parts, dim=1)}


class Probe(Collector):
    """Keeps what one pass attends with: the module and the queries of each layer that shares the keys."""

    def __init__(self) -> None:
        self.seen: list[tuple[torch.nn.Module, torch.Tensor]] = []

    def add(self, chunk: Chunk) -> None:
        self.seen.append((chunk.module, chunk.query))

    def found(self) -> dict[str, torch.Tensor]:
        return {}


class ExpectedQueries(Collector):
    """Mean and covariance of the context's queries before RoPE, then turned as the next tokens' are.

    The turn is the mean over the next 512 positions, which is no rotation: it shortens what turns fast. The
    moments of a normal distribution under it are those that Expected Attention (arXiv 2510.00636) scores by.
    """

    def __init__(self, rotation: Rotation, total: int) -> None:
        self.rotation, self.total = rotation, total
        self.first = min(FIRST_QUERY, total - 1)
        self.count: list[int] = []
        self.sums: list[torch.Tensor] = []  # of each layer that attends, [Hq, D]
        self.squares: list[torch.Tensor] = []  # [Hq, D, D]
        self.module: torch.nn.Module | None = None
        self.heads = 0

    def add(self, chunk: Chunk) -> None:
        self.module, self.heads = chunk.module, len(chunk.keys)
        skipped = max(0, self.first - chunk.start)
        query = chunk.query[:, skipped:]
        if query.shape[1] == 0:
            return
        plain = self.rotation.undone(chunk.module, query, chunk.start + skipped).float()
        added = plain.sum(1), plain.transpose(1, 2) @ plain
        if chunk.turn == len(self.sums):
            self.sums.append(torch.zeros_like(added[0]))
            self.squares.append(torch.zeros_like(added[1]))
            self.count.append(0)
        self.sums[chunk.turn] += added[0]
        self.squares[chunk.turn] += added[1]
        self.count[chunk.turn] += plain.shape[1]

    def found(self) -> dict[str, torch.Tensor]:
        assert self.module is not None
        means, covariances = [], []
        for total, squares, count in zip(self.sums, self.squares, self.count, strict=True):
            mean = total / count
            covariance = squares / count - mean.unsqueeze(2) * mean.unsqueeze(1)
            turn = self.rotation.mean_turn(self.module, mean.shape[1], self.total, FUTURE)  # [D, D]
            means.append(mean @ turn.T)
            covariances.append(turn @ covariance @ turn.T)
        # Heads in the order of the window's queries: those of all layers that attend, by KV head.
        together = [
            torch.cat([each.unflatten(0, (self.heads, -1)) for each in parts], dim=1).flatten(0, 1)
            for parts in (means, covariances)
        ]
        return {EXPECTED_QUERY_MEAN: together[0], EXPECTED_QUERY_COVARIANCE: together[1]}


class TurnedKeys(Collector):
    """The context's keys with the rotary embedding of one position, ``DISTANCE`` before its end.

    Keys that say the same then look the same, wherever they stand. Multipole Attention (arXiv 2506.13059)
    turns keys to position 0 and queries to 2,048, which for the token behind the context has the same logits.
    """

    def __init__(self, rotation: Rotation, total: int) -> None:
        self.rotation, self.place = rotation, total - DISTANCE
        self.parts: list[torch.Tensor] = []

    def add(self, chunk: Chunk) -> None:
        if chunk.turn > 0:  # of layers that share keys, the first
            return
        keys = chunk.keys[:, chunk.start :]
        plain = self.rotation.undone(chunk.module, keys, chunk.start)
        self.parts.append(self.rotation.turned(chunk.module, plain, self.place).to(keys.dtype))

    def found(self) -> dict[str, torch.Tensor]:
        return {TURNED_KEYS: torch.cat(self.parts, dim=1)}
