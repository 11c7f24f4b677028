"""Expected Attention (Devoto et al., arXiv 2510.00636): the attention that future queries will give."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.data import Context
from squeezed.methods.base import statistic
from squeezed.methods.scored import ScoredMethod
from squeezed.model.statistics import EXPECTED_QUERY_COVARIANCE, EXPECTED_QUERY_MEAN


@dataclass(frozen=True)
class ExpectedAttention(ScoredMethod):
    """Queries to come are taken for normally distributed, as those of the context are.

    With their mean m and covariance S, turned as the next 512 positions are on average, a key's expected
    logit is ``s m.k + s**2 k.S k / 2``. The score is a softmax over the keys, averaged over the query heads,
    times the norm of the value.

    Attributes:
        sinks: first tokens that are always kept, and take no part in the softmax.
        epsilon: added to the weight before the norm multiplies it.

    Raises:
        ValueError: a negative number.
    """

    needs: ClassVar[tuple[str, ...]] = (EXPECTED_QUERY_MEAN, EXPECTED_QUERY_COVARIANCE)

    sinks: int = 4
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon is {self.epsilon}; expected 0 or more")

    def scores(self, context: Context, number: int) -> torch.Tensor:
        layer, name = context.layers[number], type(self).__name__
        mean = statistic(layer, EXPECTED_QUERY_MEAN, name).unflatten(0, (layer.heads, -1))
        covariance = statistic(layer, EXPECTED_QUERY_COVARIANCE, name)
        covariance = covariance.unflatten(0, (layer.heads, -1))
        found = []
        for head in range(layer.heads):
            keys = layer.keys[head].float().to(layer.device)  # [N, D]
            logits = layer.scale * mean[head] @ keys.T  # [G, N]
            turned = torch.einsum("nd,gde->gne", keys, covariance[head])
            logits = logits + layer.scale**2 * (turned * keys).sum(-1) / 2
            hidden = torch.zeros(layer.tokens, dtype=torch.bool, device=keys.device)
            hidden[: layer.clustered] = layer.positions[head] < min(self.sinks, layer.tokens - 1)
            weights = logits.masked_fill(hidden, -torch.inf).softmax(-1).mean(0)
            norms = layer.values[head].float().norm(dim=-1).to(layer.device)
            found.append(((weights + self.epsilon) * norms)[: layer.clustered])
        return torch.stack(found)
