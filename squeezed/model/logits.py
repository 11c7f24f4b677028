"""How a layer's logits become weights, beside the keys: scale, cap and sink."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Logits:
    """What a model does to its logits.

    Attributes:
        scale: of ``q k``. softcap: logits become ``softcap * tanh(logits / softcap)``; ``None``: no cap.
        sinks: a learned logit ``[Hq]`` for each query head that takes weight and has no value; ``None``:
            none. The scores of clusters are the paper's softmax over the clustered keys, without it: a sink
            takes from all keys alike, so it changes no order and no quantile.
    """

    scale: float
    softcap: float | None = None
    sinks: torch.Tensor | None = None

    def finish(self, output: torch.Tensor, lse: torch.Tensor) -> torch.Tensor:
        """The output over all keys ``[B, Hq, L, D]`` with the sink's share taken from it.

        A sink is one more part of the merge by log-sum-exp, whose value is 0.

        Args:
            lse: log-sum-exp of the logits ``[B, Hq, L]``.
        """
        if self.sinks is None:
            return output
        sinks = self.sinks.to(device=lse.device, dtype=lse.dtype).view(1, -1, 1)
        return output * torch.sigmoid(lse - sinks).unsqueeze(-1)
