"""Operations of methods that draw keys at random: rows that queries weigh for themselves, samples of rows.

Each is plain PyTorch here, which is the specification, and a backend may do it in one call.
"""

import torch

from squeezed_kernels import api, reference
from squeezed_kernels.backend import AUTO, implementation


def attend_weighted(
    query: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    log_weights: torch.Tensor,
    scale: float,
    *,
    softcap: float | None = None,
    backend: str = AUTO,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention over rows that each query weighs for itself, and the window behind them.

    Args:
        query: ``[B, Hq, L, D]``. keys: ``[H, N, D]``. values: ``[H, N, Dv]``.
        log_weights: float32 ``[B, Hq, L, M]``, added to the logits of the first M rows; ``-inf``: the row
            is not read. The other rows, the window, weigh one.
        scale, softcap: as for ``attend``.

    Returns:
        As ``attend``.

    Raises:
        ValueError: shapes, types or devices that do not fit, or a backend that cannot run.
    """
    _check(query, keys)
    api.check_tensor(
        "values", values, (*keys.shape[:2], values.shape[-1]), query.device, keys.dtype
    )
    rows = log_weights.shape[-1] if log_weights.ndim else 0
    shape = (*query.shape[:3], rows)
    api.check_tensor("log_weights", log_weights, shape, query.device, torch.float32)
    _check_rows("log_weights", rows, keys)
    api.check_cap(softcap)
    fused = getattr(implementation(backend, query, keys), "attend_weighted", None)
    if fused is not None and values.shape[-1] == keys.shape[-1]:
        found: tuple[torch.Tensor, torch.Tensor] = fused(
            query, keys, values, log_weights, scale, softcap=softcap
        )
        return found
    bias = torch.nn.functional.pad(log_weights, (0, keys.shape[1] - rows))
    return reference.attend(
        query, keys[None], values[None], None, scale, softcap=softcap, bias=bias
    )


def sample_moments(
    query: torch.Tensor,
    keys: torch.Tensor,
    whole: torch.Tensor,
    sample: torch.Tensor,
    scale: float,
    *,
    softcap: float | None = None,
    backend: str = AUTO,
) -> torch.Tensor:
    """What a sample of rows tells about the exponentials of the others' logits.

    The exponentials are those of ``logit - top``, ``top`` the highest logit that the query reads: only ratios
    of the numbers mean something.

    Args:
        query: ``[B, Hq, L, D]``. keys: ``[H, N, D]``.
        whole, sample: boolean ``[B, H, L, M]``, rows that are read for themselves, and rows that stand for
            others; no row is both. The rows behind, the window, are read for themselves.
        scale, softcap: as for ``attend``.

    Returns:
        ``[B, Hq, L, 3]``, float32 or float64: the sum over whole rows and window, the sum over the sample,
        and the sum of the squared distances of the sample's exponentials from their mean.

    Raises:
        ValueError: shapes, types or devices that do not fit, rows in both, or a backend that cannot run.
    """
    _check(query, keys)
    rows = whole.shape[-1] if whole.ndim else 0
    shape = (len(query), len(keys), query.shape[2], rows)
    for name, marks in (("whole", whole), ("sample", sample)):
        api.check_tensor(name, marks, shape, query.device, torch.bool)
    _check_rows("whole", rows, keys)
    api.check_cap(softcap)
    if bool((whole & sample).any()):
        raise ValueError("whole and sample have rows in common")
    fused = getattr(implementation(backend, query, keys), "sample_moments", None)
    if fused is not None:
        found: torch.Tensor = fused(query, keys, whole, sample, scale, softcap=softcap)
        return found
    window = keys.shape[1] - rows
    wide = torch.float64 if query.dtype == torch.float64 else torch.float32
    grouped = reference.group_heads(query, len(keys)).to(wide)
    products = reference.times(grouped, keys.to(wide).transpose(1, 2)[None])
    logits = reference.capped(scale * products, softcap)
    marked = torch.nn.functional.pad(whole, (0, window), value=True).unsqueeze(2)
    drawn = torch.nn.functional.pad(sample, (0, window)).unsqueeze(2)
    top = logits.masked_fill(~(marked | drawn), -torch.inf).amax(-1, keepdim=True)
    powers = (logits - reference.finite_top(top)).exp()
    sampled = powers.masked_fill(~drawn, 0.0).sum(-1)
    mean = sampled / drawn.sum(-1).clamp(min=1)
    apart = (powers - mean.unsqueeze(-1)).square().masked_fill(~drawn, 0.0).sum(-1)
    every = powers.masked_fill(~marked, 0.0).sum(-1)
    return torch.stack([every, sampled, apart], dim=-1).flatten(1, 2)


def _check(query: torch.Tensor, keys: torch.Tensor) -> None:
    api.check_query(query, keys, None)
    if keys.ndim != 3:
        raise ValueError(f"keys is {tuple(keys.shape)}; expected [H, N, {query.shape[-1]}]")


def _check_rows(name: str, rows: int, keys: torch.Tensor) -> None:
    if rows > keys.shape[1]:
        raise ValueError(
            f"{name} has {rows} rows; expected at most {keys.shape[1]}, all that there are"
        )
