"""KVzip (Kim et al., arXiv 2505.23416): the keys that the model needs to repeat the context."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.data import Context
from squeezed.methods.base import statistic
from squeezed.methods.scored import TOGETHER, ScoredMethod
from squeezed.model.statistics import REPLAY_ATTENTION


@dataclass(frozen=True)
class KVzip(ScoredMethod):
    """The largest weight that a key got while the context was read again behind itself, chunk by chunk.

    One threshold for all layers and heads (``share="together"``); ``"uniform"`` is the authors' other mode.
    The replay takes about two prefills more, once. Deviation: chunks are repeated without an instruction
    before them, only with the last tokens of the chunk before.
    """

    needs: ClassVar[tuple[str, ...]] = (REPLAY_ATTENTION,)

    sinks: int = 4
    share: str = TOGETHER

    def scores(self, context: Context, number: int) -> torch.Tensor:
        return statistic(context.layers[number], REPLAY_ATTENTION, "KVzip")
