"""Why a method scores as it does, by layer and KV head, as rows of a table.

``diagnose`` answers one user input and compares, step by step, the rows that a method kept with those of the
oracle at the same number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from squeezed_kernels import attend_groups, lookup

from squeezed.cache.fixed import block_weights
from squeezed.context.data import Context
from squeezed.diagnostics.table import Row
from squeezed.generation.batch import left_padded
from squeezed.generation.watch import input_passes, watch
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import Method
from squeezed.selection.kept import Selection

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

Step = tuple[torch.Tensor, Selection | None]


def diagnose(
    model: PreTrainedModel,
    ctx: Context,
    question_ids: torch.Tensor | Sequence[int],
    method: Method,
    max_new_tokens: int = 32,
    backend: str = "auto",
) -> list[Row]:
    """Answers one user input and measures what the method kept.

    Args:
        model: the context's model. question_ids: one user input, ``[L]`` or ``[1, L]``.
        method: to look at. max_new_tokens: at most that many tokens are generated. backend: of the kernels.

    Returns:
        One row for each layer, KV head and phase (``input``: the user input's forward pass, or
        passes, of a model that takes token by token; ``token``: the
        generated tokens' passes, absent if there was none). Each figure is the mean over the phase's
        ``steps``, of which a user input selected for in blocks counts the mean over its blocks:

        - recall: share of the kept rows that the oracle keeps too, at the same number of rows; NaN where
          nothing was kept.
        - mass: attention that the fixed context's kept rows and window hold, of all it would get; averaged
          over the query tokens and the query heads of the KV head. Stand-ins for dropped rows do not count.
        - oracle_mass: the same for the oracle's rows, the most that this budget could hold.
        - kv_budget: bytes read as a share of the full K and V; rows_budget, lookup_budget: its two parts.

    Raises:
        ValueError: several user inputs, or as ``generate``.
    """
    batch = left_padded(question_ids)
    if len(batch.ids) != 1:
        raise ValueError(f"question_ids holds {len(batch.ids)} user inputs; expected one")
    fed = input_passes(ctx, batch.ids[0])
    watched = watch(model, ctx, batch.ids[0], method, max_new_tokens, backend)
    rows: list[Row] = []
    for number, (layer, steps) in enumerate(zip(ctx.layers, watched, strict=True)):
        for phase, part, tokens in (
            ("input", steps[:fed], batch.ids.shape[1] // fed),
            ("token", steps[fed:], 1),
        ):
            if part:
                measured = [measure(layer, step, tokens) for step in part]
                rows += _by_head({"layer": number, "phase": phase, "steps": len(part)}, measured)
    return rows


@torch.inference_mode()
def measure(layer: LayerIndex, step: Step, tokens: int) -> dict[str, torch.Tensor]:
    """The figures of ``diagnose`` for one step of one layer, ``[H]`` each.

    Args:
        step: queries ``[1, Hq, L, D]`` and the selection made for them. tokens: how many of the L are no
            padding; padding stands in front.
    """
    query, selection = step
    if selection is None:
        every = torch.ones(1, layer.heads, 1, layer.clustered, dtype=torch.bool)
        selection = Selection(every.to(query.device), None)
    length = query.shape[2]
    valid = torch.arange(length, device=query.device)[None] >= length - tokens
    weights = block_weights(query, valid, selection.block)[0]  # [T]
    kept = selection.row_mask()[0]  # [H, T, M]
    scores = _exact_scores(layer, query, valid, selection.block)[0]
    count = kept.sum(-1)
    best = _best_rows(scores, count)
    rows = (count * weights).sum(-1) + layer.window
    lookup_rows = torch.as_tensor(selection.lookup, device=kept.device).expand(1, *count.shape)[0]
    lookups = (lookup_rows * weights).sum(-1)
    return {
        "recall": _weighted((kept & best).sum(-1) / count, weights),
        "mass": _mass(layer, query, kept, selection.block, tokens),
        "oracle_mass": _mass(layer, query, best, selection.block, tokens),
        "kv_budget": (rows + lookups) / layer.tokens,
        "rows_budget": rows / layer.tokens,
        "lookup_budget": lookups / layer.tokens,
    }


def _exact_scores(
    layer: LayerIndex, query: torch.Tensor, valid: torch.Tensor, block: int | None
) -> torch.Tensor:
    """The oracle's log scores of every clustered row, ``[1, H, T, M]``."""
    keys = layer.keys[:, : layer.clustered].to(query.device)
    ones = torch.ones(keys.shape[:2], dtype=torch.int32, device=keys.device)
    return lookup(query, keys, ones, layer.scale, softcap=layer.softcap, block=block, valid=valid)


def _best_rows(scores: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """The ``count`` ``[H, T]`` rows with the largest scores ``[H, T, M]``, boolean ``[H, T, M]``."""
    order = scores.argsort(dim=-1, descending=True, stable=True)
    first = torch.arange(scores.shape[-1], device=scores.device) < count.unsqueeze(-1)
    return torch.zeros_like(first).scatter(-1, order, first)


def _mass(
    layer: LayerIndex, query: torch.Tensor, rows: torch.Tensor, block: int | None, tokens: int
) -> torch.Tensor:
    """Share of the attention over the whole fixed context that falls on rows ``[H, T, M]`` and window."""
    sums = []
    for keep in (rows, torch.ones_like(rows)):
        _, lse = attend_groups(
            query.to(layer.keys.device),
            layer.keys,
            layer.values,
            keep[None].to(layer.keys.device),
            None,
            layer.scale,
            softcap=layer.softcap,
            block=block,
        )
        sums.append(lse[0, :, -tokens:])  # [Hq, tokens]
    shares = (sums[0] - sums[1]).exp().unflatten(0, (layer.heads, -1))
    return shares.mean((1, 2)).clamp(max=1)


def _weighted(shares: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean over blocks, ``[H, T]`` to ``[H]``, of those that are not NaN and hold a token."""
    counted = weights * ~shares.isnan()
    return (shares.nan_to_num() * counted).sum(-1) / counted.sum(-1)


def _by_head(place: Row, measured: Sequence[Mapping[str, torch.Tensor]]) -> list[Row]:
    """Means over steps, a row a head."""
    means = {
        name: torch.stack([step[name].float() for step in measured]).nanmean(0).tolist()
        for name in measured[0]
    }
    heads = len(next(iter(means.values())))
    return [
        {
            "layer": place["layer"],
            "head": head,
            "phase": place["phase"],
            "steps": place["steps"],
            **{name: values[head] for name, values in means.items()},
        }
        for head in range(heads)
    ]
