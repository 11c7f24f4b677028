"""One shape: problem, correctness gate, times, rows of the table."""

from collections.abc import Callable
from typing import Any

import torch

from bench.timing.kernels import clock, gate
from bench.timing.kernels.machine import Machine
from bench.timing.kernels.problem import Problem
from bench.timing.kernels.providers import PROVIDERS
from bench.timing.kernels.settings import Shape

OURS = ("squeezed", "squeezed layer", "own dense")


def key(shape: Shape, machine: Machine) -> dict[str, object]:
    """The columns that say what was measured."""
    return {
        "device": machine.name,
        "threads": machine.threads,
        "dtype": shape.dtype,
        "query_heads": shape.query_heads,
        "kv_heads": shape.kv_heads,
        "head_size": shape.size,
        "context": shape.length,
        "query_tokens": shape.tokens,
        "sparsity": shape.sparsity,
        "depth": shape.depth,
        "source": shape.source,
        "index": shape.index,
        "layer": "" if shape.layer is None else shape.layer,
    }


def measure(
    problem: Problem, seconds: float, machine: Machine, say: Callable[[str], None]
) -> list[dict[str, object]]:
    """Rows of all providers that can do a problem; each is right, all were timed in turns.

    Raises:
        gate.WrongResultError: our own kernel is wrong. Others' that are wrong are left out, and said.
    """
    scores_error = gate.check_scores(problem)
    keep, candidates = problem.select()
    steps: dict[str, Callable[[], torch.Tensor]] = {}
    errors: dict[str, float] = {}
    wanted: dict[tuple[bool, bool], torch.Tensor] = {}
    for provider in PROVIDERS:
        if not provider.usable(problem):
            continue
        try:
            step = provider.make(problem)
            output = step()
        except (RuntimeError, ImportError, ValueError, TypeError) as error:
            say(f"  {provider.name}: cannot do this ({str(error).splitlines()[0][:90]})")
            continue
        which = (provider.dense, provider.own)
        if which not in wanted:
            wanted[which] = gate.expected(problem, None if provider.dense else keep, provider.own)
        try:
            slack = 1.0 if provider.name in OURS else gate.OTHERS_SLACK
            error_here = gate.check(provider.name, problem, output, wanted[which], slack)
        except gate.WrongResultError as error:
            if provider.name in OURS:
                raise
            say(f"  left out: {error}")
            continue
        steps[provider.name] = step
        errors[provider.name] = error_here if provider.dense else max(error_here, scores_error)
    times = clock.measure(steps, problem.query.device, seconds)
    read = problem.scored(candidates), problem.kept_rows(keep)
    return _rows(problem, machine, times, errors, *read)


def _rows(
    problem: Problem,
    machine: Machine,
    times: dict[str, clock.Times],
    errors: dict[str, float],
    scored: int,
    kept: int,
) -> list[dict[str, object]]:
    shape = problem.shape
    every = shape.kv_heads * shape.length
    dense = {p.name for p in PROVIDERS if p.dense}
    fastest = min((t.median, name) for name, t in times.items() if name in dense)
    torch_times = [t.median for name, t in times.items() if name.startswith("sdpa")]
    rows = []
    for name, time in times.items():
        is_dense = name in dense
        read = problem.dense_bytes() if is_dense else problem.sparse_bytes(scored, kept)
        products = 2 * every if is_dense else scored + 2 * kept
        row: dict[str, Any] = key(shape, machine) | {
            "provider": name,
            "median_ms": time.median,
            "low_ms": time.low,
            "high_ms": time.high,
            "cpu_ms": "" if time.cpu is None else time.cpu,
            "rounds": time.rounds,
            "mbytes": read / 1e6,
            "gb_per_s": read / time.median / 1e6,
            "copy_share": read / time.median * 1e3 / machine.copy,
            "gflop": operations(shape, products) / 1e9,
            "kept": 1.0 if is_dense else kept / every,
            "error": errors[name],
            "vs_sdpa": min(torch_times) / time.median if torch_times else "",
            "vs_fastest_dense": fastest[0] / time.median,
            "fastest_dense": fastest[1],
            "copy_gb_per_s": machine.copy / 1e9,
            "product_gflop_per_s": machine.product / 1e9,
            "torch": machine.torch,
            "compiler": machine.compiler,
            "commit": machine.commit,
        }
        rows.append(row)
    return rows


def operations(shape: Shape, rows: int) -> float:
    """Multiplications and additions: a row that is read meets every query of its group, two a number."""
    return 2.0 * rows * shape.size * shape.group * shape.tokens
