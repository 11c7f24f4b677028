"""The oracle: exact scores of every single key, the paper's ideal of what a lookup could find."""

from dataclasses import dataclass

import torch
from squeezed_kernels import lookup

from squeezed.calibration.of_context import Pair, exact_calibrations
from squeezed.context.data import Context
from squeezed.index.settings import Conditions
from squeezed.methods.base import Size
from squeezed.methods.ruled import Rule, RuledMethod
from squeezed.selection.kept import Selection
from squeezed.selection.selectors import Selector


@dataclass(frozen=True)
class Oracle(RuledMethod):
    """Every key is its own group and scores its exact attention weight.

    An upper bound, not a method: knowing the scores means reading all keys. Its KV budget counts only the
    rows it attends, as if the scores came for free.

    Attributes:
        rule: as in ``RuledMethod``; thresholds are calibrated on the keys themselves.
    """

    rule: str = "topk"

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        sparsity = size.as_sparsity(layer, 0.0)
        needs = self.rule == "threshold" and sparsity > 0
        needs |= self.rule == "topp" and self.top_p is None
        rule = Rule(self, size, layer, number - self.dense_layers)
        how = Conditions(reduce=self.reduce, block=self.block, dense_layers=self.dense_layers)
        found = exact_calibrations(context, how) if needs else None
        return OracleSelector(rule, sparsity, found, backend)


@dataclass(frozen=True)
class OracleSelector:
    """Exact scores on one layer; ``calibrations`` for user inputs and for single tokens."""

    rule: Rule
    sparsity: float
    calibrations: Pair | None
    backend: str

    @property
    def block(self) -> int | None:
        return self.rule.block

    def select(self, query: torch.Tensor, valid: torch.Tensor | None) -> Selection:
        layer, method = self.rule.layer, self.rule.method
        keys = layer.keys[:, : layer.clustered].to(query.device)
        counts = torch.ones(keys.shape[:2], dtype=torch.int32, device=keys.device)
        scores = lookup(
            query,
            keys,
            counts,
            layer.scale,
            softcap=layer.softcap,
            block=self.block,
            reduce=method.reduce,
            valid=valid,
            backend=self.backend,
        )
        calibration = self.rule.phase(self.calibrations, query, valid)
        keep = self.rule.keep(scores, counts, 0.0, self.sparsity, calibration)
        return Selection(keep, None, 0.0, self.block)
