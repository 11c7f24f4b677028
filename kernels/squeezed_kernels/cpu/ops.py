"""The ``cpu`` backend: the operations of ``reference`` by compiled loops.

Memory sets the pace: a decode step reads each kept row once, for all query heads of its KV head, and the work
is cut into equal shares of rows, not of heads. float32, bfloat16 and float16 storage, float32 arithmetic.
"""

import math
from collections.abc import Callable
from typing import overload

import numpy as np
import torch

from squeezed_kernels import reference
from squeezed_kernels.cpu import attend as attend_loops
from squeezed_kernels.cpu import choose, lookup_many, plan, ranges
from squeezed_kernels.cpu import codes as code_loops
from squeezed_kernels.cpu import decode as decode_loops
from squeezed_kernels.cpu import lookup as lookup_loops
from squeezed_kernels.cpu.arrays import as_array, clustering, task_address

# Operations of this backend that stand there.
from squeezed_kernels.cpu.arrays import assign as assign
from squeezed_kernels.cpu.arrays import attend_weighted as attend_weighted
from squeezed_kernels.cpu.arrays import collisions as collisions
from squeezed_kernels.cpu.arrays import label_least as label_least
from squeezed_kernels.cpu.arrays import label_order as label_order
from squeezed_kernels.cpu.arrays import label_sums as label_sums
from squeezed_kernels.cpu.arrays import own_products as own_products
from squeezed_kernels.cpu.arrays import sample_moments as sample_moments
from squeezed_kernels.cpu.team import team
from squeezed_kernels.cpu.tile import MANY
from squeezed_kernels.decoding import Ranked
from squeezed_kernels.memory import centroid_dtype

# How the loops take the type of a query.
STORED = {
    torch.float32: plan.FLOAT32,
    torch.bfloat16: plan.BFLOAT16,
    torch.float16: plan.FLOAT16,
}
LOGITS = 1 << 22  # logits of a lookup held at once, in elements


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
    query, centroids, counts = query.contiguous(), centroids.contiguous(), _int32(counts)
    valid, candidates = _contiguous(valid), _contiguous(candidates)
    groups = query.shape[1] // heads
    together = max(1, plan.ITEM_QUERIES // groups)
    alone = batch == 1 or length > 1 or candidates is not None or together == 1
    if alone or not (valid is None or bool(valid.all())):
        return _lookup(query, centroids, counts, scale, softcap, block, reduce, valid, candidates)
    # Members of a batch with a token each: what all of them read is read once for all.
    parts = [
        _lookup(
            _fold(part, heads, len(part)),
            centroids,
            counts,
            scale,
            softcap,
            1,
            reduce,
            members=len(part),
        )
        for part in query.split(together)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _lookup(
    query: torch.Tensor,
    centroids: torch.Tensor,
    counts: torch.Tensor,
    scale: float,
    softcap: float | None,
    block: int,
    reduce: str,
    valid: torch.Tensor | None = None,
    candidates: torch.Tensor | None = None,
    members: int = 1,
) -> torch.Tensor:
    """The lookup of contiguous tensors; ``members`` of a batch may be folded into the query heads."""
    batch, query_heads, length, _ = query.shape
    heads, clusters, _ = centroids.shape
    blocks = -(-length // block)
    many = query_heads // heads * min(block, length) >= MANY or members > 1
    loops = lookup_many if many else lookup_loops
    out = loops.lookup(
        team(task_address(loops.lookup_task, centroids.dtype)),
        _query(query),
        scale,
        softcap or 0.0,
        centroids.data_ptr(),
        counts.data_ptr(),
        (batch, heads, blocks, clusters),
        0 if valid is None else valid.data_ptr(),
        0 if candidates is None else candidates.data_ptr(),
        block,
        reduce == "mean",
        members if many else LOGITS,
    )
    scores = torch.from_numpy(out)
    if members > 1:
        return scores.view(heads, members, 1, clusters).transpose(0, 1).contiguous()
    return scores.view(batch, heads, blocks, clusters)


def lookup_codes(
    weights: torch.Tensor,
    base: torch.Tensor,
    codes: torch.Tensor,
    offsets: torch.Tensor,
    *,
    softcap: float | None = None,
    block: int | None = None,
    reduce: str = "mean",
    valid: torch.Tensor | None = None,
) -> torch.Tensor:
    """As ``reference.lookup_codes``."""
    batch, _, length, _ = weights.shape
    block = block or length
    seen = np.ones((batch, length), np.bool_) if valid is None else as_array(valid)
    out = code_loops.lookup_codes(
        team(code_loops.lookup_task().address),
        *map(as_array, (weights.float(), base.float(), codes, _int32(offsets))),
        seen,
        block,
        softcap or 0.0,
        reduce == "mean",
    )
    return torch.from_numpy(out).view(batch, len(codes), -1, codes.shape[1])


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
    heads, batch = len(keys), len(query)
    if batch > 1 and bool((keep == keep[:1]).all()):  # all read the same rows: then once for all
        folded = _fold(query, heads, batch)
        output, lse = attend_groups(
            folded, keys, values, keep[:1], offsets, scale, softcap=softcap, block=block
        )
        return _fold(output, heads, batch, back=True), _fold(lse, heads, batch, back=True)
    return _attend(query, keys, values, keep, offsets, scale, softcap, block)


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
    keep = None
    if mask is not None:
        batch, heads, rows = query.shape[0], keys.shape[1], keys.shape[2]
        # Sources of shared keys are numbered [B, H], so are those of keys of a batch row's own: [1, B * H].
        shape = (batch, heads) if keys.shape[0] == 1 else (1, batch * heads)
        keep = mask.expand(batch, heads, 1, rows).reshape(*shape, 1, rows)
    return _attend(query, keys, values, keep, None, scale, softcap, None)


def _attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    keep: torch.Tensor | None,
    offsets: torch.Tensor | None,
    scale: float,
    softcap: float | None,
    block: int | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over kept groups, or all; keys, values ``[.., H, N, D]``. No offsets: groups of one row."""
    query, keys, values = query.contiguous(), keys.contiguous(), values.contiguous()
    keep, offsets = _contiguous(keep), _int32(offsets)
    batch, _, length, _ = query.shape
    heads, rows = keys.shape[-3:-1]
    whole, lse = attend_loops.attend(
        team(task_address(attend_loops.attend_task, keys.dtype)),
        _query(query),
        heads,
        scale,
        softcap or 0.0,
        (keys.data_ptr(), values.data_ptr(), math.prod(keys.shape[:-2]), rows),
        0 if keep is None else keep.data_ptr(),
        (batch, heads, 1, 0) if keep is None else tuple(keep.shape),
        0 if offsets is None else offsets.data_ptr(),
        block or length,
    )
    return torch.from_numpy(whole).view(query.shape), torch.from_numpy(lse).view(query.shape[:3])


def decode(
    query: torch.Tensor,
    own: tuple[torch.Tensor, torch.Tensor],
    keys: torch.Tensor,
    values: torch.Tensor,
    keep: torch.Tensor | None,
    offsets: torch.Tensor | None,
    scale: float,
    *,
    softcap: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """As ``decoding.decode``, in one call; ``None`` for several conversations, which may read the same rows:
    ``attend_groups`` then reads them once for all."""
    if len(query) > 1:
        return None
    query, keys, values = query.contiguous(), keys.contiguous(), values.contiguous()
    own = own[0].contiguous(), own[1].contiguous()
    keep, offsets = _contiguous(keep), _int32(offsets)
    found = decode_loops.decode(
        team(task_address(attend_loops.attend_task, keys.dtype)),
        _query(query),
        len(keys),
        scale,
        softcap or 0.0,
        (own[0].data_ptr(), own[1].data_ptr(), len(keys), own[0].shape[2]),
        (keys.data_ptr(), values.data_ptr(), len(keys), keys.shape[1]),
        0 if keep is None else keep.data_ptr(),
        0 if keep is None else keep.shape[3],
        0 if offsets is None else offsets.data_ptr(),
    )
    return torch.from_numpy(found[0]).view(query.shape), torch.from_numpy(found[1]).view(
        query.shape[:3]
    )


def decode_best(
    query: torch.Tensor,
    own: tuple[torch.Tensor, torch.Tensor],
    keys: torch.Tensor,
    values: torch.Tensor,
    ranked: Ranked,
    scale: float,
    *,
    softcap: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As ``decoding.decode_best``, in one call; in two where many queries look up the same centroids."""
    query, keys, values = query.contiguous(), keys.contiguous(), values.contiguous()
    own = own[0].contiguous(), own[1].contiguous()
    batch, (heads, groups) = len(query), ranked.counts.shape
    counts, offsets = _int32(ranked.counts), _int32(ranked.offsets)
    centroids, scores = _contiguous(ranked.centroids), _contiguous(ranked.log_scores)
    if centroids is not None and (batch > 1 or query.shape[1] // heads >= MANY):
        scores = lookup(query, centroids, counts, scale, softcap=softcap, reduce=ranked.reduce)
    kind = keys.dtype if centroids is None else centroids.dtype
    out, lse, kept = decode_loops.decode_best(
        (
            team(task_address(attend_loops.attend_task, keys.dtype)),
            team(task_address(lookup_loops.lookup_task, kind)),
        ),
        _query(query),
        scale,
        softcap or 0.0,
        (own[0].data_ptr(), own[1].data_ptr(), batch * heads, own[0].shape[2]),
        (keys.data_ptr(), values.data_ptr(), heads, keys.shape[1]),
        (
            0 if scores is None else scores.data_ptr(),
            0 if centroids is None else centroids.data_ptr(),
        ),
        counts.data_ptr(),
        0 if offsets is None else offsets.data_ptr(),
        (heads, groups),
        ranked.rows,
        ranked.reduce == "mean",
        LOGITS,
    )
    shape = query.shape
    return (
        torch.from_numpy(out).view(shape),
        torch.from_numpy(lse).view(shape[:3]),
        torch.from_numpy(kept),
    )


def merge(
    first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``reference.merge``: one call in place of ten, which a decode step would feel."""
    parts = [[tensor.contiguous() for tensor in part] for part in (first, second)]
    if any(tensor.dtype != torch.float32 for part in parts for tensor in part):
        return reference.merge(first, second)
    output, lse = parts[0]
    addresses = [tuple(tensor.data_ptr() for tensor in part) for part in parts]
    whole, whole_lse = attend_loops.merge(*addresses, lse.numel(), output.shape[-1])
    return torch.from_numpy(whole).view(output.shape), torch.from_numpy(whole_lse).view(lse.shape)


def children(keep: torch.Tensor, offsets: torch.Tensor, total: int | None = None) -> torch.Tensor:
    """As ``reference.children``."""
    ends = offsets.contiguous().numpy()
    shape = (*keep.shape[:3], int(ends[0, -1]) if total is None else total)
    out = torch.empty(shape, dtype=torch.bool)
    ranges.expand(keep.contiguous().numpy(), ends, out.numpy())
    return out


def keep_best(
    log_scores: torch.Tensor, counts: torch.Tensor, rows: torch.Tensor, least: float
) -> torch.Tensor:
    """As ``reference.keep_best``."""
    taken = torch.empty(log_scores.shape, dtype=torch.bool)
    choose.keep_best(
        log_scores.contiguous().numpy(),
        counts.to(torch.int32).contiguous().numpy(),
        rows.expand(log_scores.shape[:3]).double().contiguous().numpy(),
        float(least),
        taken.numpy(),
    )
    return taken


def _decodes(
    query: torch.Tensor,
    keys: torch.Tensor,
    centroids: torch.Tensor,
    counts: torch.Tensor,
    offsets: torch.Tensor,
) -> None:
    own = keys[None], keys[None]
    ranked = Ranked(counts, offsets, 1.0, centroids=centroids)
    decode_best(query, own, keys, keys, ranked, 1.0)
    decode(query, own, keys, keys, None, None, 1.0)


def stages(dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """What is to be compiled for keys of a type: each by a call on a tiny problem."""
    centroids = centroid_dtype(dtype)
    query = torch.zeros(1, 2, 1, 16, dtype=dtype)
    many = torch.zeros(1, 2, MANY, 16, dtype=dtype)
    keys = torch.zeros(1, 4, 16, dtype=dtype)
    counts, offsets = torch.ones(1, 4, dtype=torch.int32), torch.arange(5, dtype=torch.int32)[None]
    keep = torch.ones(1, 1, 1, 4, dtype=torch.bool)
    part = torch.zeros(1, 2, 1, 16), torch.zeros(1, 2, 1)
    return {
        "lookup": lambda: lookup(query, keys.to(centroids), counts, 1.0),
        "lookup of many queries": lambda: lookup(many, keys.to(centroids), counts, 1.0),
        "lookup of codes": lambda: lookup_codes(
            torch.zeros(1, 1, 1, 8),
            torch.zeros(1, 1, 1, 4),
            counts.to(torch.uint8)[..., None],
            offsets,
        ),
        "choice": lambda: keep_best(keep.float(), counts, torch.ones(1), 0.0),
        "attention": lambda: attend_groups(query, keys, keys, keep, offsets, 1.0),
        "merge": lambda: merge(part, part),
        "a token": lambda: _decodes(query, keys, keys.to(centroids), counts, offsets),
        "children": lambda: children(keep, offsets),
        "clusters": lambda: clustering(torch.ones(1, 4, 16)),
    }


def _query(query: torch.Tensor) -> plan.Query:
    return plan.Query(query.data_ptr(), STORED[query.dtype], *query.shape)


def _contiguous(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.contiguous()


@overload
def _int32(tensor: torch.Tensor) -> torch.Tensor: ...
@overload
def _int32(tensor: None) -> None: ...
def _int32(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else tensor.to(torch.int32).contiguous()
