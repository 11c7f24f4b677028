"""The ``cpu`` backend: the operations of ``reference`` by the compiled loops of ``cpu_loops``.

Memory sets the pace: a decode step reads each kept row once, for all query heads of its KV head, and the work
is cut into equal shares of rows, not of heads. float32, bfloat16 and float16 storage, float32 arithmetic.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch

from squeezed_kernels import cpu_loops as loops
from squeezed_kernels import memory, threads

STORED = {torch.bfloat16: torch.uint16, torch.float16: torch.int16}
# Query rows that share one pass over the keys; more would push the tile out of the second-level cache.
ITEM_QUERIES = 64
LOGITS = 1 << 22  # logits of a lookup held at once, in elements
EXP = 8  # multiply-adds that an exponential or a logarithm costs


def lookup(
    query: torch.Tensor,
    centroids: torch.Tensor,
    counts: torch.Tensor,
    scale: float,
    *,
    softcap: float | None = None,
    block: int | None = None,
    reduce: str = "mean",
    valid: torch.Tensor | None = None,
    candidates: torch.Tensor | None = None,
) -> torch.Tensor:
    """As ``reference.lookup``; clusters that are no candidates are not read."""
    batch, _, length, _ = query.shape
    heads, clusters, _ = centroids.shape
    block = block or length
    blocks = -(-length // block)
    together = max(1, LOGITS // (query.shape[1] * batch * clusters))
    if blocks > together:  # by parts, for memory's sake
        parts = []
        for t in range(0, blocks, together):
            part = slice(t * block, (t + together) * block)
            parts.append(
                lookup(
                    query[:, :, part],
                    centroids,
                    counts,
                    scale,
                    softcap=softcap,
                    block=block,
                    reduce=reduce,
                    valid=None if valid is None else valid[:, part],
                    candidates=None if candidates is None else candidates[:, :, t : t + together],
                )
            )
        return torch.cat(parts, dim=2)
    if candidates is None:
        rows = _all_rows(batch, heads, blocks, clusters)
    else:
        rows = loops.ranges(_array(candidates), _singletons(heads, clusters), clusters)
    seen = np.ones((batch, length), np.bool_) if valid is None else _array(valid)
    scores = _Scores(_grouped(query, heads, scale), _array(centroids), _array(counts), seen)
    out = scores.means(rows, block, np.float32(softcap or 0), reduce)
    return torch.from_numpy(out).view(batch, heads, blocks, clusters)


@dataclass(frozen=True)
class _Scores:
    """The arrays a lookup reads: ``query [B, H, G, L, D]``, ``valid [B, L]``."""

    query: Any
    centroids: Any
    counts: Any
    valid: Any

    def means(self, rows: Any, block: int, cap: Any, reduce: str) -> Any:
        """Scores ``[sources, C]``, by as many passes over a block's query tokens as memory asks for."""
        starts, before, first = rows
        groups, length, size = self.query.shape[2:]
        places = len(before) and int(before[-1])
        sub = max(1, min(block, ITEM_QUERIES // groups, LOGITS // max(1, groups * places)))
        plan = loops.Plan(starts, before, first, before[first], length, block, sub)
        spans = threads.spans(places, groups * sub * size)
        logits = memory.scratch((groups * sub, places))
        lse = memory.scratch((len(first) + spans, groups * sub))
        shape = (1 if reduce == "mean" else groups, places)
        top, total = memory.scratch(shape), memory.scratch(shape)
        for k in range(-(-block // sub)):
            score = partial(loops.score_span, self.query, self.centroids, self.counts, plan, k, cap)
            threads.run(lambda span, score=score: score(span, spans, logits, lse), spans)  # type: ignore[misc]
            fold = partial(loops.fold_span, self.valid, plan, k)
            threads.run(
                lambda span, fold=fold: fold(span, spans, groups, logits, lse, top, total),  # type: ignore[misc]
                spans,
                EXP * logits.size,
            )
        out = memory.scratch((len(first) - 1, self.centroids.shape[1]))
        parts = min(spans, len(out))
        finish = partial(loops.finish_scores, self.valid, plan)
        threads.run(
            lambda part: finish(part, parts, groups, top, total, out), parts, EXP * top.size
        )
        return out


def attend_groups(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    keep: torch.Tensor,
    offsets: torch.Tensor | None,
    scale: float,
    *,
    softcap: float | None = None,
    block: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``reference.attend_groups``; rows of other groups are not read, contiguous tensors not copied."""
    heads, rows, _ = keys.shape
    batch = len(query)
    if batch > 1 and bool((keep == keep[:1]).all()):  # all read the same rows: then once for all
        folded = _fold(query, heads, batch)
        output, lse = attend_groups(
            folded, keys, values, keep[:1], offsets, scale, softcap=softcap, block=block
        )
        return _fold(output, heads, batch, back=True), _fold(lse, heads, batch, back=True)
    ends = _singletons(heads, keep.shape[3]) if offsets is None else _array(offsets)
    kept = loops.ranges(_array(keep), ends, rows)
    return _attend(query, keys, values, kept, scale, softcap, block)


def _fold(tensor: torch.Tensor, heads: int, batch: int, back: bool = False) -> torch.Tensor:
    """``[B, H * G, ...]`` as ``[1, H * B * G, ...]``: a batch as more heads that share a KV head; or back."""
    first, second = (heads, batch) if back else (batch, heads)
    turned = tensor.reshape(first, second, -1, *tensor.shape[2:]).transpose(0, 1)
    return turned.reshape(batch if back else 1, -1, *tensor.shape[2:])


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    *,
    softcap: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``reference.attend`` without bias, for a mask ``[.., .., 1, N]``, the same for all query tokens."""
    batch, heads, rows = query.shape[0], keys.shape[1], keys.shape[2]
    # Sources of shared keys are numbered [B, H], so are those of keys of a batch row's own: [1, B * H].
    shape = (batch, heads) if keys.shape[0] == 1 else (1, batch * heads)
    if mask is None:
        seen = _all_rows(*shape, 1, rows)
    else:
        keep = _array(mask.expand(batch, heads, 1, rows)).reshape(*shape, 1, rows)
        seen = loops.ranges(keep, _singletons(shape[1], rows), rows)
    return _attend(query, keys, values, seen, scale, softcap, None)


def _attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    rows: Any,
    scale: float,
    softcap: float | None,
    block: int | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over the ranges ``rows`` of every source; keys and values ``[.., H, N, D]``."""
    length, size = query.shape[2:]
    grouped = _grouped(query, keys.shape[-3], scale)
    groups = grouped.shape[2]
    block = block or length
    sub = max(1, min(block, ITEM_QUERIES // groups))
    starts, before, first = rows
    plan = loops.Plan(starts, before, first, before, length, block, sub)
    plan = plan._replace(work=loops.divide(plan))
    spans = threads.spans(int(plan.work[-1]), 2 * groups * sub * size)
    slots = len(plan.work) - 1 + spans
    out = memory.scratch((slots, groups * sub, size))
    lse = memory.scratch((slots, groups * sub))
    tables = [_array(x).reshape(-1, *x.shape[-2:]) for x in (keys, values)]
    part = partial(loops.attend_span, grouped, *tables, plan, np.float32(softcap or 0))
    threads.run(lambda span: part(span, spans, out, lse), spans)
    whole = memory.scratch(grouped.shape)
    whole_lse = memory.scratch(grouped.shape[:4])
    loops.merge_spans(plan, spans, out, lse, whole, whole_lse)
    return (
        torch.from_numpy(whole).view(query.shape),
        torch.from_numpy(whole_lse).view(query.shape[:3]),
    )


def children(keep: torch.Tensor, offsets: torch.Tensor, total: int | None = None) -> torch.Tensor:
    """As ``reference.children``."""
    ends = _array(offsets)
    shape = (*keep.shape[:3], int(ends[0, -1]) if total is None else total)
    out = torch.empty(shape, dtype=torch.bool).numpy()
    loops.expand(_array(keep), ends, out)
    return torch.from_numpy(out)


@lru_cache  # of the last lengths: a decode step asks for the same ones in every layer
def _all_rows(batch: int, heads: int, blocks: int, rows: int) -> Any:
    """Ranges of a plan in which every source reads all rows."""
    sources = batch * heads * blocks
    return np.zeros(sources, np.int64), rows * np.arange(sources + 1), np.arange(sources + 1)


def _singletons(heads: int, rows: int) -> Any:
    """Offsets of groups of one row."""
    return np.arange(rows + 1, dtype=np.int32)[None].repeat(heads, 0)


def _grouped(query: torch.Tensor, heads: int, scale: float) -> Any:
    """Scaled queries as a float32 array ``[B, H, G, L, D]``."""
    batch, _, length, size = query.shape
    # In NumPy, whose calls are short beside torch's: a decode step makes them for every layer.
    rows = query.detach().float().numpy().reshape(batch, heads, -1, length, size)
    return np.ascontiguousarray(rows * np.float32(scale))


def _array(tensor: torch.Tensor) -> Any:
    """A tensor's memory as a contiguous array; 16-bit floats as the integers that the loops take for them."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    stored = STORED.get(tensor.dtype)
    return np.ascontiguousarray((tensor.view(stored) if stored else tensor).numpy())
