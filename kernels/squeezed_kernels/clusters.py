"""K-means' inner steps in plain PyTorch: the specification of their backends.

Nothing adds up with atomics: a repeated run gives the same bits, on a GPU too.
"""

import torch

BLOCK = 1 << 22  # similarities held at once, in elements: 16 MB stay in a processor's cache


def take_rows(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Rows ``index`` ``[P, K]`` of ``values`` ``[P, M, D]``, as ``[P, K, D]``."""
    problems, count, size = values.shape
    starts = count * torch.arange(problems, device=index.device).unsqueeze(1)
    # One flat index_select copies whole rows: 9 times as fast on a CPU as gather with an expanded index.
    rows = values.reshape(-1, size).index_select(0, (index + starts).flatten())
    return rows.view(problems, -1, size)


def assign(
    points: torch.Tensor, centroids: torch.Tensor, *, block: int = BLOCK
) -> tuple[torch.Tensor, torch.Tensor]:
    """The most similar centroid of every point, by scalar product.

    Args:
        points: ``[H, M, D]``. centroids: ``[H, C, D]``. block: similarities held at once, in elements.

    Returns:
        Labels int64 ``[H, M]``, the lower index where two are equal, and similarities ``[H, M]``, float32
        (float64 for float64 points).
    """
    heads, count, _ = points.shape
    wide = torch.float64 if points.dtype == torch.float64 else torch.float32
    step = max(1, block // max(1, heads * centroids.shape[1]))
    transposed = centroids.to(wide).transpose(1, 2)
    labels = torch.empty(heads, count, dtype=torch.int64, device=points.device)
    similarity = torch.empty(heads, count, dtype=wide, device=points.device)
    for start in range(0, count, step):
        part = slice(start, start + step)
        best = torch.bmm(points[:, part].to(wide), transposed).max(dim=-1)
        labels[:, part], similarity[:, part] = best.indices, best.values
    return labels, similarity


def own_products(
    rows: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor, *, block: int = BLOCK
) -> torch.Tensor:
    """Scalar product of each row with the centre that its label names.

    Args:
        rows: ``[H, M, D]``. centres: ``[H, C, D]``. labels: int64 ``[H, M]``. block: numbers held at once.

    Returns:
        ``[H, M]`` in the dtype of the rows.
    """
    heads, _, size = rows.shape
    step = max(1, block // max(1, heads * size))
    parts = zip(rows.split(step, dim=1), labels.split(step, dim=1), strict=True)
    found = [(part * take_rows(centres, own)).sum(dim=-1) for part, own in parts]
    return torch.cat(found, dim=1)


def label_sums(
    rows: torch.Tensor, weights: torch.Tensor, labels: torch.Tensor, clusters: int
) -> torch.Tensor:
    """Weighted sum of the rows of each label.

    Args:
        rows: float32 ``[H, M, D]``. weights: float32 ``[H, M]``. labels: int64 ``[H, M]`` in 0..C-1.
        clusters: C.

    Returns:
        float32 ``[H, C, D]``; zeros for a label that no row has.
    """
    heads, _, size = rows.shape
    order = labels.argsort(dim=1, stable=True)
    sorted_rows = take_rows(rows, order)
    sorted_rows *= weights.gather(1, order).unsqueeze(-1)
    starts = clusters * torch.arange(heads, device=labels.device).unsqueeze(1)
    counts = torch.bincount((labels + starts).flatten(), minlength=heads * clusters)
    # unsafe: skips the check that no count is negative, which would wait for the device.
    flat = sorted_rows.reshape(-1, size)
    sums = torch.segment_reduce(flat, "sum", lengths=counts, axis=0, unsafe=True)
    return sums.view(heads, clusters, size)


def label_order(labels: torch.Tensor, clusters: int) -> torch.Tensor:
    """Row numbers by label, those of one label in their order.

    Args:
        labels: int64 ``[H, M]`` in 0..C-1. clusters: C.

    Returns:
        int64 ``[H, M]``.
    """
    return labels.argsort(dim=1, stable=True)


def label_least(values: torch.Tensor, labels: torch.Tensor, clusters: int) -> torch.Tensor:
    """The row of each label with the least value, the first of equal ones.

    Args:
        values: finite, float32 ``[H, M]``. labels: int64 ``[H, M]`` in 0..C-1. clusters: C.

    Returns:
        int64 ``[H, C]``; 0 for a label that no row has.
    """
    # Two stable sorts: by value, then by label; the first of each label has its least.
    by_value = values.argsort(dim=1, stable=True)
    order = by_value.gather(1, labels.gather(1, by_value).argsort(dim=1, stable=True))
    starts = clusters * torch.arange(len(labels), device=labels.device).unsqueeze(1)
    counts = torch.bincount((labels + starts).flatten(), minlength=len(labels) * clusters)
    counts = counts.view(len(labels), clusters)
    first = (counts.cumsum(dim=1) - counts).clamp(max=labels.shape[1] - 1)
    return order.gather(1, first).masked_fill(counts == 0, 0)
