"""A token's step on one layer: the best groups are chosen, and attended to beside the window and own tokens.

A backend may do a step in one call; here it is made of the operations of ``api``, which give the same.
"""

from dataclasses import dataclass

import torch

from squeezed_kernels import api
from squeezed_kernels.backend import AUTO, implementation

Part = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Ranked:
    """Groups of rows to choose the best of, by centroids to look up or by log scores that are there.

    Attributes:
        counts: rows of each group, int32 ``[H, C]``. offsets: as for ``attend_groups``.
        rows: to keep of each head, as for ``keep_best``.
        centroids: ``[H, C, D]``, as for ``lookup``; or ``None`` and
        log_scores: float32 ``[B, H, 1, C]``. reduce: as for ``lookup``.
    """

    counts: torch.Tensor
    offsets: torch.Tensor | None
    rows: float
    centroids: torch.Tensor | None = None
    log_scores: torch.Tensor | None = None
    reduce: str = "mean"


def decode(
    query: torch.Tensor,
    own: Part,
    keys: torch.Tensor,
    values: torch.Tensor,
    keep: torch.Tensor | None,
    offsets: torch.Tensor | None,
    scale: float,
    *,
    softcap: float | None = None,
    backend: str = AUTO,
) -> Part:
    """Attention of a token over kept groups, the window and its own tokens.

    Args:
        query: ``[B, Hq, 1, D]``. own: the conversations' keys and values ``[B, H, U, D]``, all of them seen.
        keys, values: ``[H, N, D]``. keep: as for ``attend_groups``; ``None``: all rows. offsets, scale,
            softcap: as there.

    Returns:
        The output, float32 ``[B, Hq, 1, D]``, and the log-sum-exp ``[B, Hq, 1]``.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    _check(query, own, keys, values)
    _check_keep(query, keys, keep, offsets)
    api.check_cap(softcap)
    fused = getattr(implementation(backend, query, keys, own[0]), "decode", None)
    if fused is not None:
        found: Part | None = fused(query, own, keys, values, keep, offsets, scale, softcap=softcap)
        if found is not None:
            return found
    if keep is None:
        keep = torch.ones(len(query), len(keys), 1, 1, dtype=torch.bool, device=keys.device)
        ends = torch.tensor([[0, keys.shape[1]]], dtype=torch.int32, device=keys.device)
        offsets = ends.expand(len(keys), -1)
    fixed = api.attend_groups(
        query, keys, values, keep, offsets, scale, softcap=softcap, backend=backend
    )
    mine = api.attend(query, *own, None, scale, softcap=softcap, backend=backend)
    return api.merge(fixed, mine, backend=backend)


def decode_best(
    query: torch.Tensor,
    own: Part,
    keys: torch.Tensor,
    values: torch.Tensor,
    ranked: Ranked,
    scale: float,
    *,
    softcap: float | None = None,
    backend: str = AUTO,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """``decode`` over the best groups of each head (``keep_best``), which are chosen here.

    Returns:
        As ``decode``, and the rows that were kept, float32 ``[B, H]``.

    Raises:
        ValueError: as ``decode``.
    """
    _check(query, own, keys, values)
    _check_ranked(query, keys, ranked)
    api.check_cap(softcap)
    fused = getattr(implementation(backend, query, keys, own[0]), "decode_best", None)
    if fused is not None:
        found: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = fused(
            query, own, keys, values, ranked, scale, softcap=softcap
        )
        return found
    scores = ranked.log_scores
    if ranked.centroids is not None:
        scores = api.lookup(
            query,
            ranked.centroids,
            ranked.counts,
            scale,
            softcap=softcap,
            reduce=ranked.reduce,
            backend=backend,
        )
    assert scores is not None
    rows = torch.full((1, 1, 1), ranked.rows, dtype=torch.float64, device=scores.device)
    keep = api.keep_best(scores, ranked.counts, rows, backend=backend)
    kept = (keep[:, :, 0] * ranked.counts).sum(-1, dtype=torch.float32)
    part = decode(
        query, own, keys, values, keep, ranked.offsets, scale, softcap=softcap, backend=backend
    )
    return *part, kept


def _check(query: torch.Tensor, own: Part, keys: torch.Tensor, values: torch.Tensor) -> None:
    """Raises:
    ValueError: shapes or types that do not fit."""
    batch, heads, size = len(query), len(keys), keys.shape[-1]
    if query.ndim != 4 or query.shape[2] != 1 or query.shape[3] != size or query.shape[1] % heads:
        raise ValueError(
            f"query is {tuple(query.shape)}; expected [B, a multiple of {heads}, 1, {size}]"
        )
    wanted = (batch, heads, own[0].shape[-2], size)
    for name, tensor, shape in (
        ("own keys", own[0], wanted),
        ("own values", own[1], wanted),
        ("values", values, tuple(keys.shape)),
    ):
        if tensor.shape != shape or tensor.dtype != keys.dtype:
            raise ValueError(
                f"{name} are {tensor.dtype} {tuple(tensor.shape)}; expected {keys.dtype} {shape}"
            )


def _check_keep(
    query: torch.Tensor, keys: torch.Tensor, keep: torch.Tensor | None, offsets: torch.Tensor | None
) -> None:
    """Raises:
    ValueError: groups that do not fit."""
    if keep is None:
        return
    groups = keep.shape[-1] if keep.ndim else 0
    wanted = (len(query), len(keys), 1, groups)
    if keep.shape != wanted or keep.dtype != torch.bool:
        raise ValueError(f"keep is {keep.dtype} {tuple(keep.shape)}; expected torch.bool {wanted}")
    if offsets is not None:
        _check_groups("offsets", offsets, (len(keys), groups + 1))
    elif groups > keys.shape[1]:
        raise ValueError(f"keep has {groups} rows; there are {keys.shape[1]} keys")


def _check_ranked(query: torch.Tensor, keys: torch.Tensor, ranked: Ranked) -> None:
    """Raises:
    ValueError: groups that do not fit, or nothing to rank them by."""
    groups = ranked.counts.shape[-1] if ranked.counts.ndim else 0
    _check_groups("counts", ranked.counts, (len(keys), groups))
    if ranked.offsets is not None:
        _check_groups("offsets", ranked.offsets, (len(keys), groups + 1))
    if ranked.centroids is not None:
        _check_groups("centroids", ranked.centroids, (len(keys), groups, keys.shape[2]))
    elif ranked.log_scores is not None:
        _check_groups("log scores", ranked.log_scores, (len(query), len(keys), 1, groups))
    else:
        raise ValueError("ranked has neither centroids nor log scores to choose by")
    api.check_reduce(ranked.reduce)


def _check_groups(name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    if tensor.shape != shape:
        raise ValueError(f"{name} are {tuple(tensor.shape)}; expected {shape}")
