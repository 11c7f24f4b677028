"""Independent float64 arithmetic in NumPy, one query at a time, and random inputs."""

from dataclasses import dataclass

import numpy as np
import torch

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 5e-3, torch.float16: 5e-3}


def device_of(backend):
    return "cuda" if backend == "triton" and torch.cuda.is_available() else "cpu"


def random(*shape, seed=0, dtype=torch.float32, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return (scale * torch.randn(*shape, generator=generator)).to(dtype)


def relative_error(got, want):
    """Relative L2 distance of the finite numbers; the others must be the same."""
    got = got.detach().cpu().double().numpy() if isinstance(got, torch.Tensor) else got
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    distance = np.linalg.norm(got[finite] - want[finite])
    return distance / max(np.linalg.norm(want[finite]), 1e-30)


def random_offsets(heads, groups, rows, seed=0):
    """int32 ``[heads, groups + 1]``: groups of very different sizes, some of them empty."""
    generator = torch.Generator().manual_seed(seed)
    cuts = torch.randint(0, rows + 1, (heads, groups + 1), generator=generator).sort(-1).values
    cuts[:, 0], cuts[:, -1] = 0, rows
    return cuts.int()


def _log_sum_exp(x, weights=1.0):
    if not len(x) or x.max() == -np.inf:
        return -np.inf
    return x.max() + np.log((weights * np.exp(x - x.max())).sum())


def _logits(query, rows, scale, softcap):
    logits = scale * rows @ query
    return logits if softcap is None else softcap * np.tanh(logits / softcap)


def attend(query, keys, values, rows_of, scale, softcap=None):
    """Attention of query (b, query head, token) over ``rows_of(b, KV head, token)``; keys ``[H, N, D]``."""
    query, keys, values = (x.detach().cpu().double().numpy() for x in (query, keys, values))
    batch, query_heads, length, _ = query.shape
    share = query_heads // keys.shape[0]
    out, lse = np.zeros(query.shape), np.full(query.shape[:3], -np.inf)
    for b, head, token in np.ndindex(batch, query_heads, length):
        h = head // share
        rows = np.asarray(rows_of(b, h, token), dtype=int)
        if len(rows):
            logits = _logits(query[b, head, token], keys[h, rows], scale, softcap)
            lse[b, head, token] = _log_sum_exp(logits)
            out[b, head, token] = np.exp(logits - lse[b, head, token]) @ values[h, rows]
    return out, lse


def kept_rows(keep, offsets, total, block):
    """``rows_of`` for ``attend``: the rows of kept groups, then the window."""
    keep, offsets = keep.cpu().numpy(), None if offsets is None else offsets.cpu().numpy()
    groups = keep.shape[3]

    def rows_of(b, h, token):
        bounds = np.arange(groups + 1) if offsets is None else offsets[h]
        chosen = [
            r for c in range(groups) if keep[b, h, token // block, c]
            for r in range(bounds[c], bounds[c + 1])
        ]  # fmt: skip
        return chosen + list(range(bounds[groups], total))

    return rows_of


def lookup(query, centroids, counts, scale, *, block, softcap=None, reduce="mean", valid=None,
           candidates=None):  # fmt: skip
    """Log scores ``[B, H, T, C]``."""
    query, centroids = (x.detach().cpu().double().numpy() for x in (query, centroids))
    counts = counts.cpu().numpy()
    batch, query_heads, length, _ = query.shape
    heads, clusters, _ = centroids.shape
    share, blocks = query_heads // heads, -(-length // block)
    scores = np.full((batch, heads, blocks, clusters), -np.inf)
    for b, h, t in np.ndindex(batch, heads, blocks):
        seen = counts[h] > 0
        if candidates is not None:
            seen = seen & candidates[b, h, t].cpu().numpy()
        tokens = [
            i for i in range(t * block, min(length, (t + 1) * block))
            if valid is None or bool(valid[b, i])
        ]  # fmt: skip
        if not seen.any() or not tokens:
            continue
        of_heads = []
        for head in range(h * share, (h + 1) * share):
            shares = []
            for token in tokens:
                logits = _logits(query[b, head, token], centroids[h, seen], scale, softcap)
                shares.append(logits - _log_sum_exp(logits, counts[h, seen]))
            means = [_log_sum_exp(column) - np.log(len(tokens)) for column in np.array(shares).T]
            of_heads.append(means)
        of_heads = np.array(of_heads)
        if reduce == "max":
            scores[b, h, t, seen] = of_heads.max(0)
        else:
            scores[b, h, t, seen] = [_log_sum_exp(c) - np.log(share) for c in of_heads.T]
    return scores


@dataclass(frozen=True)
class Case:
    """Sizes of one test."""

    batch: int
    heads: int
    share: int
    length: int
    block: int
    size: int
    rows: int
    groups: int
    window: int

    @property
    def blocks(self):
        return -(-self.length // self.block)

    def inputs(self, backend, dtype, scale=1.0):
        """query, keys, values, keep, offsets."""
        where = device_of(backend)
        query = random(
            self.batch, self.heads * self.share, self.length, self.size, dtype=dtype, scale=scale
        )
        keys, values = (
            random(self.heads, self.rows, self.size, seed=s, dtype=dtype) for s in (1, 2)
        )
        offsets = random_offsets(self.heads, self.groups, self.rows - self.window)
        keep = random(self.batch, self.heads, self.blocks, self.groups, seed=3) > 0.5
        return tuple(x.to(where) for x in (query, keys, values, keep, offsets))


# Odd sizes, grouped and single heads, decode and prefill, more groups than a tile has rows, no window.
SMALL = Case(2, 1, 2, 5, 4, 16, 45, 7, 3)  # a whole block and a part of one; where no size matters
CASES = {
    "decode": Case(1, 2, 1, 1, 1, 32, 150, 20, 7),
    "decode, 4 heads share": Case(2, 2, 4, 1, 1, 64, 83, 9, 5),
    "odd: 9 x 7 x 41": Case(1, 3, 1, 9, 4, 7, 41, 6, 0),
    "blocks": Case(2, 2, 2, 11, 4, 16, 97, 12, 3),
    "prefill": Case(1, 1, 3, 37, 37, 33, 130, 11, 9),
}
