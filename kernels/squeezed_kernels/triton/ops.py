"""The ``triton`` backend: launches the kernels. Nothing here waits for the device.

Block sizes of attention are the fastest of a sweep on an H200 at 131,072 keys in bfloat16, 32 heads on
32 (results/reference/kernels-h200): decode 0.093 ms where 64 rows and 4 warps took 0.124, prefill of
4,096 tokens 5.2 in place of 8.2 ms. Those of the lookup made no difference above the noise.
"""

import functools
from typing import Any

import torch
import triton

from squeezed_kernels import reference
from squeezed_kernels.backend import interpreted
from squeezed_kernels.triton import assign as assign_kernels
from squeezed_kernels.triton import attend as attend_kernels
from squeezed_kernels.triton import codes as code_kernels
from squeezed_kernels.triton import lookup as lookup_kernels

# Query rows and key rows of a tile, and warps: few query rows (decode), and many (prefill).
DECODE = {"BLOCK_Q": 16, "BLOCK_N": 32, "num_warps": 2}
PREFILL = {"BLOCK_Q": 128, "BLOCK_N": 32, "num_warps": 4}
PROGRAMS_A_PROCESSOR = 4  # of attention, so that one's loads hide behind another's arithmetic
LOOKUP = {"BLOCK_C": 64, "num_warps": 4}
LOOKUP_ROWS = {False: 16, True: 64}  # query rows of a tile: few, many
KEPT_ROWS = 64  # up to so many query rows a source the logits are kept, not computed again
SCORES_BLOCK = 256
LIST_BLOCK = 8192  # groups that a work list looks at in one step
CODES = {"BLOCK_M": 256, "num_warps": 4}  # not tuned on a device yet
ASSIGN = {"BLOCK_M": 64, "BLOCK_C": 64, "num_warps": 4}
INTERPRETED_PROGRAMS = 5  # where there is no device to ask: enough to cut items, and odd


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
    batch, query_heads, length, size = query.shape
    heads, clusters, _ = centroids.shape
    block = min(block or length, length)
    blocks, groups = -(-length // block), query_heads // heads
    sources, room = batch * heads * blocks, groups * block
    query, centroids = _same_type(query, centroids)
    counts = counts.contiguous()
    asked = counts if candidates is None else candidates.contiguous().view(torch.uint8)
    seen = counts if valid is None else valid.contiguous().view(torch.uint8)
    tiles = triton.cdiv(clusters, LOOKUP["BLOCK_C"])
    keep = room <= KEPT_ROWS
    fp32: dict[str, Any] = {"dtype": torch.float32, "device": query.device}
    parts = torch.empty(sources, room, tiles, **fp32)
    logits = torch.empty(sources, room, clusters, **fp32) if keep else parts
    out = torch.empty(batch, heads, blocks, clusters, **fp32)
    sizes = (clusters, heads, groups, length, blocks, block, room)
    common = {
        "D": size,
        "CAP": softcap is not None,
        "CANDIDATES": candidates is not None,
        "BLOCK_D": _block_d(size),
        "BLOCK_Q": LOOKUP_ROWS[room > LOOKUP_ROWS[False]],
        "PRECISION": _precision(query),
        **LOOKUP,
    }
    given = {"VALID": valid is not None, "MAX": reduce == "max"}
    cap = softcap or 1.0
    lookup_kernels.score_parts[(tiles, sources)](
        query,
        centroids,
        counts,
        asked,
        parts,
        logits,
        scale,
        cap,
        *sizes,
        tiles,
        KEEP=keep,
        **common,
    )
    tiles_block = min(1024, triton.next_power_of_2(tiles))
    if keep:
        grid = (triton.cdiv(clusters, SCORES_BLOCK), sources)
        lookup_kernels.scores_of_kept[grid](
            logits,
            parts,
            seen,
            out,
            *sizes,
            tiles,
            BLOCK_C=SCORES_BLOCK,
            BLOCK_T=tiles_block,
            **given,
        )
        return out
    totals = torch.empty(sources, room, **fp32)
    lookup_kernels.sum_parts[(sources * room,)](parts, totals, tiles, BLOCK_T=tiles_block)
    lookup_kernels.scores_again[(tiles, sources)](
        query, centroids, counts, asked, totals, seen, out, scale, cap, *sizes, **common, **given
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
    """As ``reference.attend_groups``; rows of other groups are not read."""
    batch, heads, blocks, groups = keep.shape
    total = keys.shape[1]
    sources, room = batch * heads * blocks, groups + 1
    int32: dict[str, Any] = {"dtype": torch.int32, "device": query.device}
    starts, before = torch.empty(sources, room, **int32), torch.empty(sources, room + 1, **int32)
    ranges, rows = torch.empty(sources, **int32), torch.empty(sources, **int32)
    ends = ranges if offsets is None else offsets.contiguous()
    step = max(16, min(LIST_BLOCK, triton.next_power_of_2(max(groups, 1))))
    attend_kernels.list_ranges[(sources,)](
        keep.contiguous().view(torch.uint8), ends, starts, before, ranges, rows,
        groups, total, heads, blocks, room, SINGLE=offsets is None, BLOCK_C=step,
        num_warps=8 if step > 1024 else 4,
    )  # fmt: skip
    return _attend(query, keys, values, (starts, before, ranges, rows), scale, softcap, block)


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
    shape = (batch, heads) if keys.shape[0] == 1 else (1, batch * heads)
    keys, values = (x.reshape(-1, *x.shape[2:]) for x in (keys, values))
    if mask is not None:
        keep = mask.expand(batch, heads, 1, rows).reshape(*shape, 1, rows)
        grouped = query.reshape(shape[0], -1, *query.shape[2:])
        out, lse = attend_groups(grouped, keys, values, keep, None, scale, softcap=softcap)
        return out.view(query.shape), lse.view(query.shape[:3])
    sources = batch * heads
    int32: dict[str, Any] = {"dtype": torch.int32, "device": query.device}
    starts, ranges = torch.zeros(sources, 1, **int32), torch.ones(sources, **int32)
    before = torch.zeros(sources, 2, **int32)
    before[:, 1] = rows
    every = torch.full((sources,), rows, **int32)
    return _attend(query, keys, values, (starts, before, ranges, every), scale, softcap, None)


def _attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    listed: tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor],
    scale: float,
    softcap: float | None,
    block: int | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over a work list (starts, before, ranges, rows); keys and values ``[K, N, D]``."""
    starts, before, ranges, rows = listed
    batch, query_heads, length, size = query.shape
    block = min(block or length, length)
    blocks = -(-length // block)
    heads = len(rows) // (batch * blocks)
    groups = query_heads // heads
    tile = DECODE if groups * block <= DECODE["BLOCK_Q"] else PREFILL
    # A group of heads larger than a tile still needs all its rows in it.
    rows_q = max(tile["BLOCK_Q"], triton.next_power_of_2(groups))
    sub = min(block, rows_q // groups)
    subs = -(-block // sub)
    items = len(rows) * subs
    programs = _programs(query.device)
    query, keys, values = _same_type(query, keys, values)
    device = query.device
    work = torch.empty(items + 1, dtype=torch.int64, device=device)
    step = min(1024, triton.next_power_of_2(items))
    attend_kernels.add_up[(1,)](rows, work, items, blocks, block, sub, subs, length, BLOCK=step)
    slots = items + programs
    parts = torch.empty(slots, rows_q, size, dtype=torch.float32, device=device)
    part_lse = torch.empty(slots, rows_q, dtype=torch.float32, device=device)
    out = torch.empty(batch, query_heads, length, size, dtype=torch.float32, device=device)
    lse = torch.empty(batch, query_heads, length, dtype=torch.float32, device=device)
    attend_kernels.attend_share[(programs,)](
        query, keys, values, starts, before, ranges, work, parts, part_lse, scale, softcap or 1.0,
        items, heads, keys.shape[0], groups, length, keys.shape[1], blocks, block, sub, subs,
        starts.shape[1], D=size, CAP=softcap is not None, PRECISION=_precision(query),
        BLOCK_D=_block_d(size), **{**tile, "BLOCK_Q": rows_q},
    )  # fmt: skip
    attend_kernels.merge_parts[(items, groups * sub)](
        parts, part_lse, work, out, lse, items, groups, length, blocks, block, sub, subs, programs,
        D=size, BLOCK_D=_block_d(size), BLOCK_Q=rows_q, BLOCK_P=16,
    )  # fmt: skip
    return out, lse


def merge(
    first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``reference.merge``, in one kernel."""
    pairs = [x.float().contiguous() for x in (*first, *second)]
    out, lse = torch.empty_like(pairs[0]), torch.empty_like(pairs[1])
    size = out.shape[-1]
    attend_kernels.merge_two[(lse.numel(),)](*pairs, out, lse, D=size, BLOCK_D=_block_d(size))
    return out, lse


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
    """As ``reference.lookup_codes``; logits by a kernel, what is made of them by torch."""
    batch, query_heads, length, _ = weights.shape
    heads, count, size = codes.shape
    values = torch.arange(256, device=codes.device)
    bits = (values >> torch.arange(8, device=codes.device)[:, None]) & 1
    tables = (weights.float().unflatten(-1, (size, 8)) @ bits.float()).contiguous()
    owners = reference.owners(offsets, count).to(torch.int32)
    out = torch.empty(batch, query_heads, length, count, device=codes.device)
    queries = query_heads * length
    code_kernels.logits_of_codes[(triton.cdiv(count, CODES["BLOCK_M"]), batch * queries)](
        tables, base.float().contiguous(), codes.contiguous(), owners, out, count, base.shape[-1],
        queries // heads, queries, BYTES=size, **CODES,
    )  # fmt: skip
    grouped = reference.group_heads(out, heads)
    counts = torch.ones(heads, count, dtype=torch.int32, device=codes.device)
    return reference.log_scores(
        lambda piece: grouped[:, :, :, piece], length, counts, softcap, block, reduce, valid
    )


def children(keep: torch.Tensor, offsets: torch.Tensor, total: int | None = None) -> torch.Tensor:
    """As ``reference.children``; given ``total``, the number of finer groups, it does not wait."""
    group = reference.owners(offsets, int(offsets[0, -1]) if total is None else total)
    batch, _, blocks, _ = keep.shape
    return keep.gather(3, group[None, :, None].expand(batch, -1, blocks, -1))


def assign(
    points: torch.Tensor, centroids: torch.Tensor, *, precision: str | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """As ``clusters.assign``; float32 products have the precision ``ieee`` (default) or ``tf32``."""
    heads, count, size = points.shape
    points, centroids = _same_type(points, centroids)
    labels = torch.empty(heads, count, dtype=torch.int64, device=points.device)
    similarity = torch.empty(heads, count, dtype=torch.float32, device=points.device)
    assign_kernels.nearest[(triton.cdiv(count, ASSIGN["BLOCK_M"]), heads)](
        points, centroids, labels, similarity, count, centroids.shape[1], D=size,
        PRECISION=precision or _precision(points), BLOCK_D=_block_d(size), **ASSIGN,
    )  # fmt: skip
    return labels, similarity


def _same_type(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """Contiguous, and of one type: the matrix instructions take no mixed pair."""
    types = {tensor.dtype for tensor in tensors}
    wanted = types.pop() if len(types) == 1 else torch.float32
    return [tensor.to(wanted).contiguous() for tensor in tensors]


def _precision(tensor: torch.Tensor) -> str:
    """How products are made, see ``triton_common.product``; 16-bit ones ignore ``tf32``."""
    if tensor.dtype == torch.float32:
        return "ieee"
    return "widened" if interpreted() else "tf32"


def _block_d(size: int) -> int:
    return max(16, triton.next_power_of_2(size))


@functools.cache
def _processors(index: int) -> int:
    return torch.cuda.get_device_properties(index).multi_processor_count


def _programs(device: torch.device) -> int:
    if device.type != "cuda":
        return INTERPRETED_PROGRAMS
    index = torch.cuda.current_device() if device.index is None else device.index
    return _processors(index) * PROGRAMS_A_PROCESSOR
