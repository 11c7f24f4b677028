"""MagicPIG (Chen et al., arXiv 2410.16179): keys drawn by hashes, weighed by the inverse of their chance."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from squeezed_kernels import collisions

from squeezed.context.data import Context
from squeezed.context.window import window_queries
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import BudgetedMethod, Size
from squeezed.methods.sketched import token_bytes
from squeezed.selection.kept import Selection
from squeezed.selection.products import products
from squeezed.selection.selectors import Selector

ID_BYTES = 4  # of a key's number in a hash table
NEEDED = 2  # tables in which query and key must meet
SMALL = 1e-4  # added to a chance, so that its inverse stays finite
SAMPLED = 16  # window queries that the number of tables is fitted with


@dataclass(frozen=True)
class MagicPIG(BudgetedMethod):
    """A key is taken by a query that meets it in at least two of L hash tables of K sign bits each.

    The chance of that is known from their angle, and its inverse is the key's weight. Keys are centred before
    they are hashed, queries are not. Every query head takes its own keys; a KV head reads those of all of its
    query heads. What a lookup reads is the numbers of all keys in the buckets that are met, 4 bytes each.

    The number of keys is random. The size decides L: the most tables, up to ``tables``, whose keys and lookup
    for the window's queries stay within it on average. What questions then read is measured.

    Attributes:
        bits: K. tables: the largest L. sinks: first tokens that are always kept. seed: of the hashes.

    Raises:
        ValueError: a number out of range; at ``bind``: the context kept no window queries.
    """

    sized: ClassVar[bool] = False

    bits: int = 10
    tables: int = 150
    sinks: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.bits <= 15:
            raise ValueError(f"bits is {self.bits}; expected 1 to 15")
        if self.tables < NEEDED:
            raise ValueError(f"tables is {self.tables}; expected at least {NEEDED}")
        if self.sinks < 0:
            raise ValueError(f"sinks is {self.sinks}; expected 0 or more")

    def rows_always(self, layer: LayerIndex) -> int:
        return min(self.sinks, layer.clustered)

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        window_queries(layer, "MagicPIG fits its tables to")
        always = layer.among_first(self.sinks)
        key = ("magicpig", self.bits, self.tables, self.seed, number)
        hashed = context.derive(key, lambda: hash_keys(layer, self.bits, self.tables, self.seed))
        selector = MagicPIGSelector(layer, hashed, always, self.bits, self.tables, backend)
        selector.tables = selector.fitted(size)
        return selector


@dataclass(frozen=True)
class Hashed:
    """Keys in hash tables.

    Attributes:
        planes: normals of the hyperplanes ``[L * K, D]``. mean: of the keys, ``[H, D]``.
        codes: of every key in every table, int16 ``[H, L, M]``.
    """

    planes: torch.Tensor
    mean: torch.Tensor
    codes: torch.Tensor


def hash_keys(layer: LayerIndex, bits: int, tables: int, seed: int) -> Hashed:
    """The clustered keys of a layer in hash tables, after their mean is taken off."""
    keys = layer.keys[:, : layer.clustered].to(layer.device).float()
    generator = torch.Generator().manual_seed(seed)
    planes = torch.randn(tables * bits, keys.shape[2], generator=generator).to(layer.device)
    mean = keys.mean(1)
    codes = hash_codes(keys - mean.unsqueeze(1), planes, bits)
    return Hashed(planes, mean, codes.transpose(1, 2).contiguous())


def hash_codes(vectors: torch.Tensor, planes: torch.Tensor, bits: int) -> torch.Tensor:
    """The sign bits of vectors ``[..., D]`` as a number a table, int16 ``[..., L]``."""
    signs = (vectors @ planes.T >= 0).unflatten(-1, (-1, bits))
    powers = 2.0 ** torch.arange(bits, device=vectors.device)
    return (signs.float() @ powers).to(torch.int16)  # exact: fewer bits than a float32 has


def chance(cosine: torch.Tensor, bits: int, tables: int) -> torch.Tensor:
    """The probability that two vectors meet in at least two of the tables, from their cosine."""
    one = (1 - cosine.clamp(-1, 1).arccos() / math.pi) ** bits
    none = (1 - one) ** tables
    return 1 - none - tables * one * (1 - one) ** (tables - 1)


@dataclass
class MagicPIGSelector:
    """The draw on one layer; ``tables``: that are looked up, of all that there are."""

    layer: LayerIndex
    hashed: Hashed
    always: torch.Tensor
    bits: int
    tables: int
    backend: str
    block: int | None = 1

    def met(self, query: torch.Tensor, tables: int) -> torch.Tensor:
        """In how many tables each query ``[B, H, G, L, D]`` meets each key, int16 ``[B, H, G, L, M]``."""
        hashed = self.hashed.codes[:, :tables].to(query.device)
        asked = hash_codes(query.float(), self.hashed.planes.to(query.device), self.bits)
        by_head = asked[..., :tables].transpose(0, 1).flatten(1, 3)
        counts = collisions(by_head, hashed, backend=self.backend)
        shape = (len(query), *query.shape[2:4])
        return counts.unflatten(1, shape).transpose(0, 1)

    def fitted(self, size: Size) -> int:
        """The most tables whose keys and lookup meet a size for the window's queries."""
        layer = self.layer
        assert layer.queries is not None
        query = layer.queries[None, :, -SAMPLED:].to(layer.device)
        query = query.unflatten(1, (layer.heads, -1))
        low, high = NEEDED, self.tables
        while low < high:  # both grow with the number of tables
            middle = (low + high + 1) // 2
            kept, read = self._reads(self.met(query, middle))
            allowed = float(size.rows(layer, float(read.mean())))
            low, high = (middle, high) if float(kept.mean()) <= allowed else (low, middle - 1)
        return low

    def _reads(self, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows that are kept, and tokens that the lookup reads, ``[B, H, L]`` each."""
        taken = (counts >= NEEDED).any(2) | self.always[None, :, None]
        ids = counts.sum((2, 4), dtype=torch.float32)
        return taken.sum(-1, dtype=torch.float32), ids * ID_BYTES / token_bytes(self.layer)

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer = self.layer
        grouped = query.unflatten(1, (layer.heads, -1))
        counts = self.met(grouped, self.tables)
        _, read = self._reads(counts)
        taken = counts >= NEEDED
        keys = layer.keys[:, : layer.clustered].to(query.device).float()
        unit = torch.nn.functional.normalize(
            keys - self.hashed.mean.to(query.device)[:, None], dim=-1
        )
        cosine = products(torch.nn.functional.normalize(query.float(), dim=-1), unit)
        places = taken.flatten().nonzero().squeeze(1)  # few of all: a mask would be searched twice
        chances = chance(cosine.flatten()[places], self.bits, self.tables)
        logs = torch.full((cosine.numel(),), -torch.inf, device=cosine.device)
        logs[places] = -(chances + SMALL).log()
        logs = logs.view(taken.shape).masked_fill_(self.always[None, :, None, None], 0.0)
        keep = taken.any(2) | self.always[None, :, None]
        return Selection(keep, None, read, self.block, log_weights=logs.flatten(1, 2))
