"""What only a GPU can show: no waiting for the host, and a decode step in a CUDA graph."""

import pytest
import torch
from squeezed_kernels import attend, attend_groups, lookup, merge

from tests.kernels.exact import Case, random

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def step(query, keys, values, centroids, counts, offsets, own):
    """A layer's attention of one decode step."""
    scores = lookup(query, centroids, counts, 0.1)
    keep = scores > -7.0
    sparse = attend_groups(query, keys, values, keep, offsets, 0.1)
    return merge(sparse, attend(query, own, own, None, 0.1))[0]


def arguments():
    case = Case(1, 4, 2, 1, 1, 128, 5000, 300, 100)
    query, keys, values, _, offsets = case.inputs("triton", torch.bfloat16)
    centroids = random(4, 300, 128, seed=7, dtype=torch.bfloat16).cuda()
    own = random(1, 4, 50, 128, seed=8, dtype=torch.bfloat16).cuda()
    return query, keys, values, centroids, offsets.diff(dim=-1), offsets, own


def test_a_decode_step_does_not_wait_for_the_host():
    inputs = arguments()
    step(*inputs)  # compiles
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(*inputs)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_decode_step_replays_as_a_cuda_graph_with_another_selection():
    query, *rest = arguments()
    step(query, *rest)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = step(query, *rest)
    query.copy_(random(*query.shape, seed=9, dtype=query.dtype))
    graph.replay()
    torch.testing.assert_close(out, step(query, *rest), rtol=1e-3, atol=1e-3)
