"""Plain PyTorch operations: the specification of every backend.

Shapes: B batch, Hq query heads, H KV heads, G = Hq / H, L query tokens, T blocks of query tokens, N keys, C
groups of keys (clusters), D head size. Query head h reads KV head h // G. Everything is computed in float32
(float64 for float64 input).
"""

from collections.abc import Callable, Iterator

import torch

QUERY_BLOCK = 512  # query tokens scored at once: bounds the [B, H, G * block, N] logits
REDUCTIONS = ("mean", "max")


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
    """Log score per key of every cluster, for each block of query tokens (paper section 3.2).

    For one query, a key of cluster i scores ``exp(a_i) / sum_j counts_j exp(a_j)`` with
    ``a_i = scale * q . centroid_i``; the sum runs over the candidates. The score is averaged over the query
    tokens of a block, then reduced over the query heads that share a KV head. All in log space, so logits of
    any size stay finite.

    Args:
        query: ``[B, Hq, L, D]``. centroids: ``[H, C, D]``. scale: softmax scale.
        counts: keys per cluster, integers ``[H, C]``; empty clusters score ``-inf``.
        softcap: ``a_i`` becomes ``softcap * tanh(a_i / softcap)``; ``None``: no cap.
        block: query tokens that are selected for together; ``None``: all L, so T = 1.
        reduce: over the query heads of a KV head: ``mean`` (paper) or ``max``.
        valid: boolean ``[B, L]``, false for padding, which is left out; ``None``: all are valid.
        candidates: boolean ``[B, H, T, C]``, the clusters to score (children of kept coarser clusters); the
            others score ``-inf``. ``None``: all.

    Returns:
        ``[B, H, T, C]`` log scores, float32 or float64; ``-inf`` for a block of nothing but padding.

    Raises:
        ValueError: an unknown reduction, a block below 1, or heads that do not divide.
    """
    grouped = group_heads(query, centroids.shape[0])
    wide = _wide(query.dtype)
    transposed = centroids.to(wide).transpose(1, 2)[None]

    def logits(piece: slice) -> torch.Tensor:
        return scale * times(grouped[:, :, :, piece].to(wide), transposed)

    return log_scores(logits, query.shape[2], counts, softcap, block, reduce, valid, candidates)


def log_scores(
    logits: Callable[[slice], torch.Tensor],
    length: int,
    counts: torch.Tensor,
    softcap: float | None,
    block: int | None,
    reduce: str,
    valid: torch.Tensor | None,
    candidates: torch.Tensor | None = None,
) -> torch.Tensor:
    """From logits to log scores ``[B, H, T, C]``; arguments and errors as of ``lookup``.

    Args:
        logits: uncapped ones of a piece of the query tokens, ``[B, H, G, tokens, C]``. length: query tokens.
    """
    if reduce not in REDUCTIONS:
        raise ValueError(f"reduce is {reduce!r}; expected one of {', '.join(REDUCTIONS)}")
    used = (counts > 0)[:, None, None]
    scores = []
    for t, part in enumerate(block_slices(length, block)):
        seen = used if candidates is None else used & candidates[:, :, t, None, None]
        sums = []
        for piece in block_slices(part.stop - part.start, QUERY_BLOCK, part.start):
            own = capped(logits(piece), softcap).masked_fill(~seen, -torch.inf)
            # log 0 = -inf drops empty clusters
            total = (own + counts.to(own.dtype).log()[:, None, None]).logsumexp(-1, keepdim=True)
            shares = own - finite_top(total)
            if valid is not None:
                shares = shares.masked_fill(~valid[:, None, None, piece, None], -torch.inf)
            sums.append(shares.logsumexp(3))
        tokens = part.stop - part.start if valid is None else valid[:, part].sum(1)
        divisor = torch.as_tensor(tokens, dtype=sums[0].dtype, device=counts.device).clamp(min=1)
        mean = torch.stack(sums).logsumexp(0) - divisor.log().view(-1, 1, 1, 1)  # [B, H, G, C]
        scores.append(_over_query_heads(mean, reduce))
    return torch.stack(scores, dim=2)


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
    """Log score of every key, whose logit is that of its group and what the bits of its code add.

    ``a_i = base[group of i] + sum over the bits k that are set in codes[i] of weights[k]``; scores are made
    of these logits as ``lookup`` does, each key a cluster of its own. Any code by sums of bits can be written
    so: equal steps of any number of bits, or signs. A table of 256 sums a byte makes it a few additions a key
    (asymmetric distance computation: Jegou et al., Product Quantization, 2011, section III).

    Args:
        weights: ``[B, Hq, L, 8 * P]``, softmax scale included. base: ``[B, Hq, L, C]``, the same.
        codes: uint8 ``[H, M, P]``; weight 8 * p + k is of the bit of value ``2 ** k`` of byte p.
        offsets: int32 ``[H, C + 1]``; group c is the keys ``offsets[c]`` to ``offsets[c + 1]``.
        softcap, block, reduce, valid: as in ``lookup``.

    Returns:
        ``[B, H, T, M]`` log scores, float32 or float64.
    """
    heads, keys, _ = codes.shape
    wide = _wide(weights.dtype)
    powers = torch.arange(8, dtype=torch.uint8, device=codes.device)
    bits = ((codes[..., None] >> powers) & 1).flatten(2).to(wide).transpose(1, 2)[None]
    own, shared = group_heads(weights, heads), group_heads(base, heads)
    group = owners(offsets, keys)

    def logits(piece: slice) -> torch.Tensor:
        groups = shared[:, :, :, piece].to(wide)
        index = group[None, :, None, None].expand(*groups.shape[:4], keys)
        return groups.gather(-1, index) + times(own[:, :, :, piece].to(wide), bits)

    counts = torch.ones(heads, keys, dtype=torch.int32, device=codes.device)
    return log_scores(logits, weights.shape[2], counts, softcap, block, reduce, valid)


def owners(offsets: torch.Tensor, count: int) -> torch.Tensor:
    """The group of each of ``count`` finer groups, or rows, int64 ``[H, count]``.

    ``offsets``: as in ``children``."""
    number = torch.arange(count, dtype=offsets.dtype, device=offsets.device)
    return torch.searchsorted(
        offsets[:, 1:].contiguous(), number.expand(len(offsets), -1).contiguous(), right=True
    )


def children(keep: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """The finer groups, or rows, inside kept groups.

    Args:
        keep: boolean ``[B, H, T, C]``. offsets: int32 ``[H, C + 1]``; group i holds the finer ones from
            ``offsets[i]`` to ``offsets[i + 1]``; all heads end at the same number.

    Returns:
        Boolean ``[B, H, T, offsets[-1]]``.
    """
    heads = [
        torch.repeat_interleave(keep[:, h], offsets[h].diff(), dim=-1) for h in range(keep.shape[1])
    ]
    return torch.stack(heads, dim=1)


def keep_best(
    log_scores: torch.Tensor, counts: torch.Tensor, rows: torch.Tensor, least: float = 0.0
) -> torch.Tensor:
    """The best groups of each head, until as many keys are kept as asked.

    Groups are whole: the last one is kept if it brings their number nearer to what is asked, or equally near.
    At least one group is kept. Of equal scores the first comes first.

    Args:
        log_scores: ``[B, H, T, C]``; ``-inf`` is never kept. counts: keys of each group, integers ``[H, C]``.
        rows: keys to keep, broadcastable to ``[B, H, T]``.
        least: keys that must not be missed; the group that reaches them is kept even if most of it is beyond.

    Returns:
        Boolean ``[B, H, T, C]``.
    """
    order = log_scores.argsort(dim=-1, descending=True, stable=True)
    sizes = counts[:, None].expand_as(log_scores).gather(-1, order)
    # Taking a group moves the sum closer to the target while at most half of the group lies beyond it.
    before = sizes.cumsum(-1) - sizes
    taken = (before + sizes / 2 <= rows.unsqueeze(-1)) | (before < least)
    taken[..., 0] = True
    return torch.zeros_like(taken).scatter(-1, order, taken) & (log_scores > -torch.inf)


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    *,
    softcap: float | None = None,
    bias: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Exact attention over the rows a mask keeps, with its log-sum-exp.

    Args:
        query: ``[B, Hq, L, D]``. keys: ``[B or 1, H, N, D]``. values: ``[B or 1, H, N, Dv]``.
        scale: softmax scale.
        mask: boolean, broadcastable to ``[B, H, L, N]``, true where a query may look; ``None`` keeps all.
        softcap: logits become ``softcap * tanh(logits / softcap)``; ``None``: no cap.
        bias: added to the logits, ``[H, N]``, or ``[B, Hq, L, N]`` if queries weigh rows differently; the
            log of a row's weight if it stands for several keys.

    Returns:
        Output ``[B, Hq, L, Dv]`` and log-sum-exp ``[B, Hq, L]``, float32 or float64. A query that sees no row
        gets zeros and ``-inf``.
    """
    heads, length = keys.shape[1], query.shape[2]
    grouped = group_heads(query, heads)
    wide = _wide(query.dtype)
    wide_keys, wide_values = keys.to(wide).transpose(2, 3), values.to(wide)
    outputs, sums = [], []
    for part in block_slices(length, QUERY_BLOCK):
        logits = capped(scale * times(grouped[:, :, :, part].to(wide), wide_keys), softcap)
        if bias is not None and bias.ndim == 2:
            logits = logits + bias.to(wide)[:, None, None]
        elif bias is not None:
            logits = logits + group_heads(bias, heads)[:, :, :, part].to(wide)
        if mask is not None:
            seen = mask if mask.shape[2] == 1 else mask[:, :, part]
            logits = logits.masked_fill(~seen.unsqueeze(2), -torch.inf)
        lse = logits.logsumexp(-1)
        outputs.append(times((logits - finite_top(lse).unsqueeze(-1)).exp(), wide_values))
        sums.append(lse)
    output, lse = torch.cat(outputs, dim=3), torch.cat(sums, dim=3)
    return output.flatten(1, 2), lse.flatten(1, 2)


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
    """Exact attention over the rows of kept groups and the rows behind the last group, the window.

    Args:
        query: ``[B, Hq, L, D]``. keys, values: ``[H, N, D]``, shared by the whole batch.
        keep: boolean ``[B, H, T, C]``, the groups each block of queries attends to.
        offsets: int32 ``[H, C + 1]``; group i is the rows ``offsets[i]`` to ``offsets[i + 1]``. ``None``:
            every row before the window is its own group.
        scale, softcap, block: as in ``lookup``.

    Returns:
        As ``attend``.
    """
    rows = keep if offsets is None else children(keep, offsets)
    window = rows.new_ones(*rows.shape[:3], keys.shape[1] - rows.shape[3])
    mask = torch.cat([rows, window], dim=-1)
    parts = [
        attend(
            query[:, :, part], keys[None], values[None], mask[:, :, t, None], scale, softcap=softcap
        )
        for t, part in enumerate(block_slices(query.shape[2], block))
    ]
    return torch.cat([part[0] for part in parts], 2), torch.cat([part[1] for part in parts], 2)


def merge(
    first: tuple[torch.Tensor, torch.Tensor], second: tuple[torch.Tensor, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over the union of two disjoint sets of keys, from the outputs over each.

    Args:
        first, second: output ``[B, Hq, L, D]`` and log-sum-exp ``[B, Hq, L]`` as ``attend`` returns them.

    Returns:
        The same pair for the union.
    """
    lse = torch.logaddexp(first[1], second[1])
    weights = [(part[1] - finite_top(lse)).exp().unsqueeze(-1) for part in (first, second)]
    return weights[0] * first[0] + weights[1] * second[0], lse


def causal_mask(length: int, total: int, device: torch.device) -> torch.Tensor:
    """Boolean ``[1, 1, length, total]``: the last ``length`` of ``total`` tokens see up to themselves."""
    rows = torch.arange(total - length, total, device=device)
    return (torch.arange(total, device=device) <= rows[:, None])[None, None]


def group_heads(query: torch.Tensor, kv_heads: int) -> torch.Tensor:
    """``[B, Hq, L, D]`` as ``[B, H, G, L, D]``.

    Raises:
        ValueError: the heads do not divide.
    """
    query_heads = query.shape[1]
    if query_heads % kv_heads:
        raise ValueError(f"{query_heads} query heads cannot share {kv_heads} KV heads evenly")
    return query.unflatten(1, (kv_heads, query_heads // kv_heads))


def block_slices(length: int, block: int | None, start: int = 0) -> Iterator[slice]:
    """The query tokens ``start`` to ``start + length`` in blocks; the last may be shorter.

    Raises:
        ValueError: a block below 1.
    """
    block = max(length, 1) if block is None else block
    if block < 1:
        raise ValueError(f"block is {block}; expected at least 1 query token")
    for first in range(start, start + length, block):
        yield slice(first, min(first + block, start + length))


def _over_query_heads(log_scores: torch.Tensor, reduce: str) -> torch.Tensor:
    """``[B, H, G, C]`` to ``[B, H, C]``."""
    if reduce == "max":
        return log_scores.amax(2)
    groups = torch.tensor(float(log_scores.shape[2]), dtype=log_scores.dtype)
    return log_scores.logsumexp(2) - groups.log().to(log_scores.device)


def capped(logits: torch.Tensor, softcap: float | None) -> torch.Tensor:
    """Logits of a model that caps them: ``softcap * tanh(logits / softcap)``; ``None``: as they are."""
    return logits if softcap is None else softcap * torch.tanh(logits / softcap)


def times(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Product of ``[B, H, G, L, X]`` with the ``[B or 1, H, X, Y]`` of the KV head.

    One product a KV head, or a member and KV head: torch's own broadcasting copies ``right`` for every query
    head, and takes 20 times as long.
    """
    batch, _, group, length, _ = left.shape
    if len(right) < batch:
        by_head = left.transpose(0, 1).flatten(1, 3) @ right[0]
        return by_head.unflatten(1, (batch, group, length)).transpose(0, 1)
    return (left.flatten(2, 3) @ right).unflatten(2, (group, length))


def finite_top(lse: torch.Tensor) -> torch.Tensor:
    """What to subtract from logits: 0 where nothing is seen, so that weights are 0, not NaN."""
    return lse.masked_fill(lse == -torch.inf, 0.0)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def collisions(asked: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
    """In how many hash tables a query and a key have the same code.

    Args:
        asked: codes of Q queries in L tables, int16 ``[H, Q, L]``. stored: of M keys, int16 ``[H, L, M]``.

    Returns:
        int16 ``[H, Q, M]``.
    """
    found = torch.zeros(*asked.shape[:2], stored.shape[2], dtype=torch.int16, device=asked.device)
    for head, rows in enumerate(stored):
        for table, row in enumerate(rows):
            found[head] += asked[head, :, table, None] == row
    return found
