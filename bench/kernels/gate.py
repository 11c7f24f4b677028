"""The correctness gate: a kernel is timed only if its result is right, by float64 arithmetic of our own."""

import torch
from squeezed_kernels import reference

from bench.kernels.problem import Problem

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 5e-3, torch.float16: 5e-3}  # relative L2
TOKENS = 4  # query tokens that are compared: of a long user input the first and the last


class WrongResultError(RuntimeError):
    """A kernel's result is too far from float64."""


def check(
    name: str, problem: Problem, output: torch.Tensor, keep: torch.Tensor | None, own: bool = False
) -> float:
    """Relative L2 error of an output over the rows of ``keep`` (``None``: all), and the own tokens' if asked.

    Raises:
        WrongResultError: it is above the tolerance of the data type.
    """
    return _judge(name, problem, _difference(problem, output, keep, own))


def check_scores(problem: Problem) -> float:
    """Relative L2 error of the finest level's scores; raises as ``check``."""
    from squeezed_kernels import lookup

    finest = problem.levels[-1]
    _, candidates = problem.select()
    query = problem.query[:, :, :TOKENS]
    arguments = (finest.counts, problem.scale)
    got = lookup(query, finest.centroids, *arguments, candidates=candidates)
    want = reference.lookup(
        query.double(), finest.centroids.double(), *arguments, candidates=candidates
    )
    seen = want.isfinite()
    if not torch.equal(seen, got.isfinite()):
        return _judge("lookup", problem, float("inf"))
    # Log scores: the error of a score is the difference of its logarithm.
    error = (got[seen].double() - want[seen]).square().mean().sqrt()
    return _judge("lookup", problem, float(error))


def _judge(name: str, problem: Problem, error: float) -> float:
    tolerance = TOLERANCE[problem.query.dtype]
    if not error <= tolerance:  # NaN is wrong too
        raise WrongResultError(
            f"{name} is wrong by {error:.1e} (relative L2; allowed {tolerance:.0e}) at "
            f"{problem.shape.title}"
        )
    return error


def _difference(
    problem: Problem, output: torch.Tensor, keep: torch.Tensor | None, own: bool
) -> float:
    shape = problem.shape
    tokens = torch.unique(torch.linspace(0, shape.tokens - 1, TOKENS).long())
    query = problem.query[0].unflatten(0, (shape.kv_heads, shape.group))[:, :, tokens].double()
    got = output[0].unflatten(0, (shape.kv_heads, shape.group))[:, :, tokens].double()
    distance = norm = 0.0
    for head in range(shape.kv_heads):
        keys, values = problem.keys[head], problem.values[head]
        if keep is not None:
            finest = problem.levels[-1]
            rows = keep[0, head, 0].repeat_interleave(finest.counts[head].long())
            rows = torch.cat([rows, rows.new_ones(shape.length - len(rows))])
            keys, values = keys[rows], values[rows]
        if own:
            keys = torch.cat([keys, problem.own[0, head]])
            values = torch.cat([values, problem.own[0, head]])
        weights = torch.softmax(problem.scale * query[head] @ keys.double().T, -1)
        want = weights @ values.double()
        distance += float((got[head] - want).square().sum())
        norm += float(want.square().sum())
    return (distance / norm) ** 0.5
