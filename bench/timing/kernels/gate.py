"""The correctness gate: a kernel is timed only if its result is right, by float64 arithmetic of our own."""

import torch
from squeezed_kernels import reference

from bench.timing.kernels.problem import Problem

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 5e-3, torch.float16: 5e-3}  # relative L2
OTHERS_SLACK = 10.0  # a rival is not left out because it rounds more than we do
TOKENS = 4  # query tokens that are compared: of a long user input the first and the last


class WrongResultError(RuntimeError):
    """A kernel's result is too far from float64."""


def check(
    name: str, problem: Problem, output: torch.Tensor, want: torch.Tensor, slack: float = 1.0
) -> float:
    """Relative L2 error of an output against what ``expected`` gave; ``slack`` times the usual is allowed.

    Raises:
        WrongResultError: it is above the tolerance of the data type.
    """
    got = _sample(problem, output)
    return _judge(name, problem, float((got - want).norm() / want.norm()), slack)


def expected(problem: Problem, keep: torch.Tensor | None, own: bool = False) -> torch.Tensor:
    """Float64 attention over the rows of ``keep`` (``None``: all), and over the own tokens if asked."""
    query = _sample(problem, problem.query)
    outputs = []
    for head in range(problem.shape.kv_heads):
        keys, values = problem.keys[head], problem.values[head]
        if keep is not None:
            rows = keep[0, head, 0].repeat_interleave(problem.levels[-1].counts[head].long())
            rows = torch.cat([rows, rows.new_ones(len(keys) - len(rows))])
            keys, values = keys[rows], values[rows]
        if own:
            keys = torch.cat([keys, problem.own[0, head]])
            values = torch.cat([values, problem.own[0, head]])
        weights = torch.softmax(problem.scale * query[head] @ keys.double().T, -1)
        outputs.append(weights @ values.double())
    return torch.stack(outputs)


def _sample(problem: Problem, tensor: torch.Tensor) -> torch.Tensor:
    """``[1, Hq, L, D]`` as float64 ``[H, G, TOKENS, D]``."""
    shape = problem.shape
    tokens = torch.linspace(0, shape.tokens - 1, TOKENS).long().unique()
    return tensor[0].unflatten(0, (shape.kv_heads, shape.group))[:, :, tokens].double()


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


def _judge(name: str, problem: Problem, error: float, slack: float = 1.0) -> float:
    tolerance = slack * TOLERANCE[problem.query.dtype]
    if not error <= tolerance:  # NaN is wrong too
        raise WrongResultError(
            f"{name} is wrong by {error:.1e} (relative L2; allowed {tolerance:.0e}) at "
            f"{problem.shape.title}"
        )
    return error
