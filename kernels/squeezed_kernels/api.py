"""One entrance to the operations: checks the arguments once and hands them to a backend.

Arguments and results are those of ``reference``, which says what each operation is. Shapes: B batch, Hq query
heads, H KV heads, L query tokens, T blocks of them, N keys, C groups of keys, D head size.
"""

import torch

from squeezed_kernels import clusters as in_torch
from squeezed_kernels import reference
from squeezed_kernels.backend import (
    AUTO,
    REFERENCE,
    implementation,
    load,
    resolve_backend,
)


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
    backend: str = AUTO,
) -> torch.Tensor:
    """Log score per key of every cluster ``[B, H, T, C]``; see ``reference.lookup``.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    check_reduce(reduce)
    batch, length, blocks = check_query(query, centroids, block)
    heads, clusters, _ = centroids.shape
    check_tensor("counts", counts, (heads, clusters), query.device)
    if valid is not None:
        check_tensor("valid", valid, (batch, length), query.device, torch.bool)
    if candidates is not None:
        check_tensor(
            "candidates", candidates, (batch, heads, blocks, clusters), query.device, torch.bool
        )
    scores: torch.Tensor = implementation(backend, query, centroids).lookup(
        query,
        centroids,
        counts,
        scale,
        softcap=check_cap(softcap),
        block=block,
        reduce=reduce,
        valid=valid,
        candidates=candidates,
    )
    return scores


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
    backend: str = AUTO,
) -> torch.Tensor:
    """Log score of every key by its code ``[B, H, T, M]``; see ``reference.lookup_codes``.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    check_reduce(reduce)
    if codes.ndim != 3 or codes.dtype != torch.uint8:
        raise ValueError(f"codes are {codes.dtype} {tuple(codes.shape)}; expected uint8 [H, M, P]")
    heads, _, size = codes.shape
    if weights.ndim != 4 or weights.shape[-1] != 8 * size or weights.shape[1] % heads:
        raise ValueError(
            f"weights are {tuple(weights.shape)}; expected [B, a multiple of {heads}, L, {8 * size}]"
        )
    groups = base.shape[-1] if base.ndim else 0
    check_tensor("base", base, (*weights.shape[:3], groups), weights.device)
    check_tensor("codes", codes, tuple(codes.shape), weights.device)
    check_tensor("offsets", offsets, (heads, groups + 1), weights.device)
    if valid is not None:
        check_tensor("valid", valid, (len(weights), weights.shape[2]), weights.device, torch.bool)
    _check_block(block)
    name = resolve_backend(backend, weights.device)
    empty = codes.numel() == 0 or weights.numel() == 0
    module = reference if weights.dtype == torch.float64 or empty else load(name)
    found: torch.Tensor = getattr(module, "lookup_codes", reference.lookup_codes)(
        weights,
        base,
        codes,
        offsets,
        softcap=check_cap(softcap),
        block=block,
        reduce=reduce,
        valid=valid,
    )
    return found


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
    backend: str = AUTO,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over the rows of kept groups and the window; see ``reference.attend_groups``.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    batch, _, blocks = check_query(query, keys, block)
    heads, rows, _ = keys.shape
    check_tensor("values", values, tuple(keys.shape), query.device, keys.dtype)
    groups = keep.shape[-1] if keep.ndim else 0
    check_tensor("keep", keep, (batch, heads, blocks, groups), query.device, torch.bool)
    if offsets is not None:
        check_tensor("offsets", offsets, (heads, groups + 1), query.device)
    elif groups > rows:
        raise ValueError(f"keep has {groups} rows; there are {rows} keys")
    pair: tuple[torch.Tensor, torch.Tensor] = implementation(backend, query, keys).attend_groups(
        query, keys, values, keep, offsets, scale, softcap=check_cap(softcap), block=block
    )
    return pair


def attend(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
    *,
    softcap: float | None = None,
    bias: torch.Tensor | None = None,
    backend: str = AUTO,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Exact attention over the rows a mask keeps, with its log-sum-exp; see ``reference.attend``.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    batch, _, _ = check_query(query, keys, None)
    wanted = (*keys.shape[:-1], values.shape[-1])
    check_tensor("values", values, wanted, query.device, keys.dtype)
    if keys.ndim != 4 or keys.shape[0] not in (1, batch):
        raise ValueError(
            f"keys is {tuple(keys.shape)}; expected [{batch} or 1, H, N, {query.shape[-1]}]"
        )
    if mask is not None and mask.dtype != torch.bool:
        raise ValueError(f"mask is {mask.dtype}; expected torch.bool")
    module = implementation(backend, query, keys)
    if values.shape[-1] != keys.shape[-1]:
        module = reference  # the others hold keys and values of one size
    if bias is not None or (mask is not None and mask.shape[2] != 1):
        module = reference  # the conversation's own tokens: short, and each query has its own mask
    pair: tuple[torch.Tensor, torch.Tensor] = module.attend(
        query, keys, values, mask, scale, softcap=check_cap(softcap), **_given(bias=bias)
    )
    return pair


def children(
    keep: torch.Tensor, offsets: torch.Tensor, *, total: int | None = None, backend: str = AUTO
) -> torch.Tensor:
    """The finer groups, or rows, inside kept groups ``[B, H, T, total]``; see ``reference.children``.

    Given ``total``, which is ``offsets[:, -1]``, a GPU need not be waited for.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    if keep.ndim != 4 or keep.dtype != torch.bool:
        raise ValueError(f"keep is {keep.dtype} {tuple(keep.shape)}; expected bool [B, H, T, C]")
    check_tensor("offsets", offsets, (keep.shape[1], keep.shape[3] + 1), keep.device)
    name = resolve_backend(backend, keep.device)
    if name == REFERENCE:
        return reference.children(keep, offsets)
    finer: torch.Tensor = load(name).children(keep, offsets, total)
    return finer


def keep_best(
    log_scores: torch.Tensor,
    counts: torch.Tensor,
    rows: torch.Tensor,
    least: float = 0.0,
    *,
    backend: str = AUTO,
) -> torch.Tensor:
    """The best groups of each head, as many keys as asked ``[B, H, T, C]``; see ``reference.keep_best``.

    Every backend keeps the same groups.

    Raises:
        ValueError: shapes or devices that do not fit, or a backend that cannot run.
    """
    if log_scores.ndim != 4:
        raise ValueError(f"log_scores is {tuple(log_scores.shape)}; expected [B, H, T, C]")
    check_tensor("counts", counts, (log_scores.shape[1], log_scores.shape[3]), log_scores.device)
    module = load(resolve_backend(backend, log_scores.device))
    if log_scores.dtype != torch.float32:
        module = reference
    chosen = getattr(module, "keep_best", reference.keep_best)
    keep: torch.Tensor = chosen(log_scores, counts, rows, least)
    return keep


def collisions(asked: torch.Tensor, stored: torch.Tensor, *, backend: str = AUTO) -> torch.Tensor:
    """In how many hash tables each query meets each key, int16 ``[H, Q, M]``; see ``reference.collisions``.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    if asked.ndim != 3 or asked.dtype != torch.int16:
        raise ValueError(f"asked is {asked.dtype} {tuple(asked.shape)}; expected int16 [H, Q, L]")
    heads, _, tables = asked.shape
    keys = stored.shape[-1] if stored.ndim else 0
    check_tensor("stored", stored, (heads, tables, keys), asked.device, torch.int16)
    module = load(resolve_backend(backend, asked.device))
    found: torch.Tensor = getattr(module, "collisions", reference.collisions)(asked, stored)
    return found


def merge(
    first: tuple[torch.Tensor, torch.Tensor],
    second: tuple[torch.Tensor, torch.Tensor],
    *,
    backend: str = AUTO,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over the union of two disjoint sets of keys; see ``reference.merge``.

    Raises:
        ValueError: shapes or devices that do not fit, or a backend that cannot run.
    """
    output, lse = first
    for name, tensor, like in (("output", second[0], output), ("lse", second[1], lse)):
        check_tensor(f"the second {name}", tensor, tuple(like.shape), like.device)
    check_tensor("lse", lse, tuple(output.shape[:-1]), output.device)
    module = implementation(backend, output)
    pair: tuple[torch.Tensor, torch.Tensor] = getattr(module, "merge", reference.merge)(
        first, second
    )
    return pair


def assign(
    points: torch.Tensor, centroids: torch.Tensor, *, backend: str = AUTO
) -> tuple[torch.Tensor, torch.Tensor]:
    """The most similar centroid of every point: labels int64 ``[H, M]`` and similarities ``[H, M]``.

    Points ``[H, M, D]`` and centroids ``[H, C, D]`` are compared by scalar product, so they are unit vectors
    where cosine is meant.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    if points.ndim != 3 or centroids.ndim != 3 or centroids.shape[1] < 1:
        raise ValueError(
            f"points is {tuple(points.shape)} and centroids {tuple(centroids.shape)}; expected "
            "[H, M, D] and [H, C, D] with at least one centroid"
        )
    wanted = (points.shape[0], centroids.shape[1], points.shape[2])
    check_tensor("centroids", centroids, wanted, points.device, points.dtype)
    module = implementation(backend, points, centroids)
    pair: tuple[torch.Tensor, torch.Tensor] = getattr(module, "assign", in_torch.assign)(
        points, centroids
    )
    return pair


def own_products(
    rows: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor, *, backend: str = AUTO
) -> torch.Tensor:
    """Scalar product ``[H, M]`` of each row with the centre that its label names; see ``clusters``.

    Args:
        rows: ``[H, M, D]``. centres: ``[H, C, D]``. labels: int64 ``[H, M]`` in 0..C-1, which is not checked.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    _check_clusters(rows, labels)
    wanted = (rows.shape[0], centres.shape[1], rows.shape[2])
    check_tensor("centres", centres, wanted, rows.device, rows.dtype)
    module = implementation(backend, rows, centres)
    found: torch.Tensor = getattr(module, "own_products", in_torch.own_products)(
        rows, centres, labels
    )
    return found


def label_sums(
    rows: torch.Tensor,
    weights: torch.Tensor,
    labels: torch.Tensor,
    clusters: int,
    *,
    backend: str = AUTO,
) -> torch.Tensor:
    """Weighted sum ``[H, C, D]`` of the rows of each label; see ``clusters``.

    Args:
        rows: float32 ``[H, M, D]``. weights: float32 ``[H, M]``.
        labels: int64 ``[H, M]`` in 0..C-1, which is not checked. clusters: C.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    _check_clusters(rows, labels)
    check_tensor("weights", weights, tuple(rows.shape[:2]), rows.device, rows.dtype)
    module = implementation(backend, rows)
    found: torch.Tensor = getattr(module, "label_sums", in_torch.label_sums)(
        rows, weights, labels, clusters
    )
    return found


def label_order(labels: torch.Tensor, clusters: int, *, backend: str = AUTO) -> torch.Tensor:
    """Row numbers int64 ``[H, M]`` by label, those of one label in their order; see ``clusters``.

    Args:
        labels: int64 ``[H, M]`` in 0..C-1, which is not checked. clusters: C.

    Raises:
        ValueError: a type that does not fit, or a backend that cannot run.
    """
    check_tensor("labels", labels, tuple(labels.shape[:2]), labels.device, torch.int64)
    module = load(resolve_backend(backend, labels.device))
    found: torch.Tensor = getattr(module, "label_order", in_torch.label_order)(labels, clusters)
    return found


def label_least(
    values: torch.Tensor, labels: torch.Tensor, clusters: int, *, backend: str = AUTO
) -> torch.Tensor:
    """The row int64 ``[H, C]`` of each label with the least value, 0 for a label without rows; see
    ``clusters``.

    Args:
        values: finite, ``[H, M]``. labels: int64 ``[H, M]`` in 0..C-1, which is not checked. clusters: C.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    check_tensor("labels", labels, tuple(values.shape), values.device, torch.int64)
    module = load(resolve_backend(backend, values.device))
    found: torch.Tensor = getattr(module, "label_least", in_torch.label_least)(
        values, labels, clusters
    )
    return found


def _check_clusters(rows: torch.Tensor, labels: torch.Tensor) -> None:
    if rows.ndim != 3:
        raise ValueError(f"rows is {tuple(rows.shape)}; expected [H, M, D]")
    check_tensor("labels", labels, tuple(rows.shape[:2]), rows.device, torch.int64)


def check_query(query: torch.Tensor, keys: torch.Tensor, block: int | None) -> tuple[int, int, int]:
    """Batch size, query tokens and blocks of them; ``keys`` are keys or centroids ``[..., H, N, D]``."""
    if query.ndim != 4:
        raise ValueError(f"query is {tuple(query.shape)}; expected [B, Hq, L, D]")
    if keys.ndim < 3 or keys.shape[-1] != query.shape[-1]:
        raise ValueError(
            f"keys or centroids are {tuple(keys.shape)}; expected [H, N, {query.shape[-1]}] for a query "
            f"of shape {tuple(query.shape)}"
        )
    if keys.device != query.device:
        raise ValueError(f"keys or centroids are on {keys.device}, the query on {query.device}")
    if query.shape[1] % keys.shape[-3]:
        raise ValueError(
            f"{query.shape[1]} query heads cannot share {keys.shape[-3]} KV heads evenly"
        )
    _check_block(block)
    length = query.shape[2]
    return query.shape[0], length, -(-length // (block or max(length, 1)))


def check_reduce(reduce: str) -> None:
    """Raises:
    ValueError: an unknown reduction."""
    if reduce not in reference.REDUCTIONS:
        known = ", ".join(reference.REDUCTIONS)
        raise ValueError(f"reduce is {reduce!r}; expected one of {known}")


def _check_block(block: int | None) -> None:
    if block is not None and block < 1:
        raise ValueError(f"block is {block}; expected at least 1 query token")


def check_tensor(
    name: str,
    tensor: torch.Tensor,
    shape: tuple[int, ...],
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> None:
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} is {tuple(tensor.shape)}; expected {shape}")
    if tensor.device != device:
        raise ValueError(f"{name} is on {tensor.device}, the query on {device}")
    if dtype is not None and tensor.dtype != dtype:
        raise ValueError(f"{name} is {tensor.dtype}; expected {dtype}")


def check_cap(softcap: float | None) -> float | None:
    """The cap of logits.

    Raises:
        ValueError: it is not above 0.
    """
    if softcap is not None and not softcap > 0:
        raise ValueError(f"softcap is {softcap}; expected a number above 0, or None for no cap")
    return softcap


def _given(**arguments: torch.Tensor | None) -> dict[str, torch.Tensor]:
    return {name: value for name, value in arguments.items() if value is not None}
