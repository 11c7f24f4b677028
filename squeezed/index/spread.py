"""How much a coarse cluster's keys can matter beyond what their mean says.

The score of a cluster by its centroid is ``exp(q . mean of k)``. What its keys hold on average is the mean of
``exp(q . k)``, which is larger (Jensen), and the more so the wider the cluster: a coarse cluster with one
matching key among hundreds looks unimportant. ``spread`` is the difference of the logarithms, measured
offline on the observation window's queries: one number a cluster, added to its log score online. This goes
beyond the paper, whose coarse scores are those of the means.
"""

import torch
from squeezed_kernels import capped

QUERY_BLOCK = 16  # window queries whose logits over all keys are held at once

MEAN, SPREAD = "mean", "spread"
COARSE_SCORES = (MEAN, SPREAD)


def spreads(
    keys: torch.Tensor,
    queries: torch.Tensor,
    centroids: torch.Tensor,
    counts: torch.Tensor,
    scale: float,
    softcap: float | None = None,
) -> torch.Tensor:
    """Mean over queries of ``log mean exp(logits of a cluster's keys) - logit of its centroid``.

    Args:
        keys: clustered rows in cluster order ``[H, M, D]``. queries: of the window, ``[Hq, W, D]``.
        centroids: ``[H, C, D]`` as stored. counts: keys of each cluster ``[H, C]``. scale, softcap: of the
            layer's logits.

    Returns:
        float32 ``[H, C]``, 0 for empty clusters.
    """
    heads, rows, size = keys.shape
    found = torch.zeros(counts.shape, dtype=torch.float32, device=keys.device)
    for head, (own, count) in enumerate(zip(keys.float(), counts, strict=True)):
        cluster = torch.arange(len(count), device=keys.device).repeat_interleave(count.long())
        of_head = queries.view(heads, -1, size)[head].float()
        for part in of_head.split(QUERY_BLOCK):
            logits = capped(scale * part @ own.T, softcap)
            places = cluster.expand(len(part), rows)
            shape = (len(part), len(count))
            top = logits.new_full(shape, -torch.inf).scatter_reduce_(1, places, logits, "amax")
            sums = logits.new_zeros(shape)
            sums.scatter_add_(1, places, (logits - top.gather(1, places)).exp())
            of_mean = capped(scale * part @ centroids[head].float().T, softcap)
            gap = top + (sums / count).log() - of_mean
            found[head] += gap.masked_fill(count == 0, 0.0).sum(0)
        found[head] /= len(of_head)
    return found
