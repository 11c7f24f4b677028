"""Expected Attention: its score worked by hand, and what it keeps."""

import dataclasses
import math

import pytest
import torch

import squeezed
from tests.squeezed.conftest import context_of, kept_places
from tests.squeezed.methods.test_scored import NOTHING, PLACES, by_place, two_heads


def test_expected_attention_prefers_long_keys_where_queries_have_no_mean():
    keys = [0.1, 0.2, 3.0, 0.1, 0.1, 0.3, 0.1, 2.0, 0.1, 0.1]
    layer = by_place(keys)
    layer = dataclasses.replace(
        layer,
        values=torch.ones_like(layer.values),
        statistics={
            "expected_query_mean": torch.zeros(1, 1),
            "expected_query_covariance": torch.eye(1)[None],
        },
    )
    ctx = context_of(layer)
    method = squeezed.ExpectedAttention(sparsity=0.8, sinks=0)
    assert kept_places(ctx, method, NOTHING) == [2, 7]
    assert kept_places(ctx, squeezed.ExpectedAttention(sparsity=0.8, sinks=1), NOTHING) == [0, 2]


def test_expected_attention_hand_worked():
    """Two KV heads of two query heads each: logits ``s m.k + s**2 k.S k / 2``, a softmax without sinks, the
    mean over the query heads, times the norm of the value."""
    draw = torch.Generator().manual_seed(0)
    keys, values = (torch.randn(2, 12, 2, generator=draw) for _ in range(2))
    mean, root = torch.randn(4, 2, generator=draw), torch.randn(4, 2, 2, generator=draw)
    covariance = root @ root.transpose(1, 2)
    layer = dataclasses.replace(
        two_heads(by_place(torch.zeros(10, 2))), keys=keys, values=values, scale=0.5
    )
    layer = dataclasses.replace(
        layer,
        statistics={"expected_query_mean": mean, "expected_query_covariance": covariance},
    )
    found = squeezed.ExpectedAttention(sinks=1).scores(context_of(layer), 0)
    for head in range(2):
        total = [0.0] * 12
        for query in (2 * head, 2 * head + 1):
            weights = []
            for place, (x, y) in zip(PLACES, keys[head].tolist(), strict=True):
                (a, b), ((xx, xy), (yx, yy)) = mean[query].tolist(), covariance[query].tolist()
                spread = x * x * xx + x * y * (xy + yx) + y * y * yy
                logit = 0.5 * (a * x + b * y) + 0.5**2 * spread / 2
                weights.append(0.0 if place == 0 else math.exp(logit))
            total = [old + w / sum(weights) / 2 for old, w in zip(total, weights, strict=True)]
        want = [w * math.hypot(*v) for w, v in zip(total, values[head].tolist(), strict=True)]
        assert found[head].tolist() == pytest.approx(want[:10], rel=1e-4)
