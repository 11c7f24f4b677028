"""Nearest centroids in plain PyTorch: K-means' inner step, and the specification of its backends."""

import torch

BLOCK = 1 << 22  # similarities held at once, in elements: 16 MB stay in a processor's cache


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
