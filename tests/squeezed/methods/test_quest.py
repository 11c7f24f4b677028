"""Quest: the page bound by brute force, and pages by place whatever the storage order."""

import itertools

import numpy as np
import pytest
import torch

import squeezed
from squeezed.methods.quest import build_pages
from tests.squeezed.conftest import (
    context_of,
    first_pass,
    kept_places,
    layer_of,
    lookup_of,
    random_ids,
)

PAGE = 16


def keys_by_place(ctx, layer: int = 0) -> torch.Tensor:
    """Clustered keys ``[H, M, D]`` in the order of the context."""
    index = ctx.layers[layer]
    return index.in_place_order(index.keys[:, : index.clustered])


def brute_force_bound(query: np.ndarray, keys: np.ndarray) -> float:
    """The largest dot product with any point of the box around the keys, one coordinate after another."""
    low, high = keys.min(0), keys.max(0)
    return sum(max(q * a, q * b) for q, a, b in zip(query, low, high, strict=True))


def test_hand_worked():
    # Two dimensions, pages of two keys. The box of page 0 reaches (1, 1) although neither of its keys does.
    keys = [[1.0, 0.0], [0.0, 1.0], [0.9, 0.9], [0.8, 0.8], [0, 0], [0, 0]]
    ctx = context_of(layer_of(keys, range(4), offsets=((0, 2, 4),)))
    method = squeezed.Quest(sparsity=0.5, page=2)
    assert kept_places(ctx, method, [[1.0, 1.0]]) == [0, 1]
    assert kept_places(ctx, method, [[-1.0, -1.0]]) == [0, 1]
    assert kept_places(ctx, squeezed.Oracle(sparsity=0.5), [[1.0, 1.0]]) == [2, 3]


def test_choice_is_that_of_the_brute_force_bounds(ctx):
    generator = torch.Generator().manual_seed(3)
    query = torch.randn(4, 16, generator=generator)  # four query heads, one token
    layer = ctx.layers[0]
    selection = squeezed.Quest(sparsity=0.9).bind(ctx, "auto")[0].select(query[None, :, None], None)
    for head in range(2):
        keys = keys_by_place(ctx)[head].double().numpy()
        pages = [keys[i : i + PAGE] for i in range(0, len(keys), PAGE)]
        sizes = np.array([len(page) for page in pages])
        scores = np.zeros(len(pages))
        for q in query[2 * head : 2 * head + 2].double().numpy():
            bounds = layer.scale * np.array([brute_force_bound(q, page) for page in pages])
            for bound, page in zip(bounds, pages, strict=True):
                assert layer.scale * (page @ q).max() <= bound + 1e-9
            weights = np.exp(bounds - bounds.max())
            scores += weights / (sizes * weights).sum() / 2
        kept: set[int] = set()
        for page in np.argsort(-scores):
            if len(kept) + sizes[page] / 2 > 0.1 * len(keys):
                break
            kept |= set(range(page * PAGE, page * PAGE + sizes[page]))
        places = layer.positions[head][selection.keep[0, head, 0]].tolist()
        assert sorted(places) == sorted(kept)


def test_the_last_page_is_shorter_and_counted_so(ctx):
    layer = ctx.layers[0]  # 513 keys
    pages = build_pages(layer, PAGE)
    assert pages.counts.sum(-1).tolist() == [513, 513]
    assert pages.counts[:, -1].tolist() == [1, 1]
    torch.testing.assert_close(
        pages.bounds[:, -1], torch.cat([keys_by_place(ctx)[:, -1]] * 2, dim=-1)
    )
    for head, row in itertools.product(range(2), (0, 100, 512)):
        assert pages.page_of_row[head, row] == layer.positions[head, row] // PAGE


def test_lookup_counts_two_bounds_a_page(model, ctx):
    cache = first_pass(model, ctx, squeezed.Quest(sparsity=0.5), random_ids(9, 1))
    pages = 33
    steps = [reads.steps[0] for reads in cache.reads]
    lookups = torch.stack([lookup_of(step) for step in steps])
    torch.testing.assert_close(lookups, torch.full_like(lookups, pages))
    rows = torch.stack([step.read() for step in steps]).float().mean().item()
    assert rows == pytest.approx(100 + 0.5 * 513, abs=0.02 * 613)


def test_top_p_keeps_more_with_more_mass(model, ctx):
    shares = [
        squeezed.generate(
            model,
            ctx,
            random_ids(9, 1),
            method=squeezed.Quest(rule="topp", top_p=mass),
            max_new_tokens=1,
        ).stats.kv_budget
        for mass in (0.2, 0.6, 1.0)
    ]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]
