"""Who computes it: ours, and every dense attention that can be imported. One table, one function each."""

import functools
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from squeezed_kernels import attend, merge
from torch.nn import functional

from bench.timing.kernels.problem import Problem

Step = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Provider:
    """``make`` prepares a step, a function of no arguments that returns ``[1, Hq, L, D]``."""

    name: str
    make: Callable[[Problem], Step]
    usable: Callable[[Problem], bool]
    dense: bool = True
    own: bool = False  # attends to the conversation's own tokens too


def squeezed(problem: Problem) -> Step:
    """Lookup of every level, selection by threshold, attention over kept clusters and the window."""
    return lambda: problem.attend(problem.select()[0])[0]


def squeezed_layer(problem: Problem) -> Step:
    """The same, the conversation's own tokens, and the merge: all that a layer's attention does."""

    def step() -> torch.Tensor:
        sparse = problem.attend(problem.select()[0])
        return merge(sparse, attend(problem.query, problem.own, problem.own, None, problem.scale))[
            0
        ]

    return step


def own_dense(problem: Problem) -> Step:
    """Our own kernel over all rows."""
    keys, values = problem.keys[None], problem.values[None]
    return lambda: attend(problem.query, keys, values, None, problem.scale)[0]


def sdpa(problem: Problem, backend: str | None = None) -> Step:
    """torch's attention, by the backend it picks or by one that is named."""
    keys, values = problem.keys[None], problem.values[None]
    grouped = problem.shape.group > 1

    def step() -> torch.Tensor:
        return functional.scaled_dot_product_attention(
            problem.query, keys, values, scale=problem.scale, enable_gqa=grouped
        )

    if backend is None:
        return step
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def forced() -> torch.Tensor:
        with sdpa_kernel(getattr(SDPBackend, backend)):
            return step()

    return forced


def matmul(problem: Problem) -> Step:
    """Two matrix products and a softmax; query heads of a KV head side by side."""
    shape = problem.shape
    query = problem.query.view(shape.kv_heads, shape.group * shape.tokens, shape.size)
    keys = problem.keys.transpose(1, 2)

    def step() -> torch.Tensor:
        weights = torch.softmax(problem.scale * (query @ keys).float(), -1).to(query.dtype)
        return (weights @ problem.values).view(problem.query.shape)

    return step


def flex(problem: Problem) -> Step:
    """FlexAttention, compiled."""
    from torch.nn.attention.flex_attention import flex_attention

    compiled = _compiled(flex_attention)
    keys, values = problem.keys[None], problem.values[None]
    grouped = problem.shape.group > 1
    return lambda: compiled(problem.query, keys, values, scale=problem.scale, enable_gqa=grouped)


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=False)


def flash_attn(problem: Problem) -> Step:
    """The flash-attn package."""
    from flash_attn import flash_attn_func

    query, keys, values = (
        x.transpose(1, 2).contiguous()
        for x in (problem.query, problem.keys[None], problem.values[None])
    )
    return lambda: flash_attn_func(query, keys, values, softmax_scale=problem.scale).transpose(1, 2)


def flashinfer(problem: Problem) -> Step:
    """FlashInfer's kernels for one request."""
    import flashinfer as library

    query = problem.query[0].transpose(0, 1).contiguous()
    kind: dict[str, Any] = {"kv_layout": "HND", "sm_scale": problem.scale}
    if problem.shape.tokens == 1:
        return lambda: library.single_decode_with_kv_cache(
            query[0], problem.keys, problem.values, **kind
        )[None, :, None]
    return lambda: library.single_prefill_with_kv_cache(
        query, problem.keys, problem.values, causal=False, **kind
    ).transpose(0, 1)[None]


def _on_cuda(problem: Problem) -> bool:
    return problem.query.device.type == "cuda"


def _sixteen_bit_on_cuda(problem: Problem) -> bool:
    return _on_cuda(problem) and problem.query.dtype != torch.float32


def _with(package: str) -> Callable[[Problem], bool]:
    def usable(problem: Problem) -> bool:
        return _sixteen_bit_on_cuda(problem) and importlib.util.find_spec(package) is not None

    return usable


def _logits_fit(problem: Problem) -> bool:
    shape = problem.shape
    return shape.query_heads * shape.tokens * shape.length * 8 < 4 << 30


def _decode(problem: Problem) -> bool:
    return problem.shape.tokens == 1


def _anywhere(problem: Problem) -> bool:
    return True


PROVIDERS = (
    Provider("squeezed", squeezed, _anywhere, dense=False),
    Provider("squeezed layer", squeezed_layer, _decode, dense=False, own=True),
    Provider("own dense", own_dense, _anywhere),
    Provider("sdpa", sdpa, _anywhere),
    *(
        Provider(f"sdpa {name.lower()}", functools.partial(sdpa, backend=name), _on_cuda)
        for name in ("FLASH_ATTENTION", "EFFICIENT_ATTENTION", "CUDNN_ATTENTION")
    ),
    Provider("matmul", matmul, _logits_fit),
    Provider("flex", flex, _on_cuda),
    Provider("flash-attn", flash_attn, _with("flash_attn")),
    Provider("flashinfer", flashinfer, _with("flashinfer")),
)
