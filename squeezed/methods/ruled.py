"""The selection rules as settings that every scoring method shares."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from squeezed_kernels import REDUCTIONS

from squeezed.calibration.curves import SCOPES, Calibration
from squeezed.calibration.of_context import Pair
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.methods.base import BudgetedMethod, Size
from squeezed.selection.rules import above_threshold, top_mass, top_rows

RULES = ("threshold", "topk", "topp")


@dataclass(frozen=True)
class RuledMethod(BudgetedMethod):
    """A budgeted method that scores groups and keeps some by a rule.

    Attributes:
        calibrated: it has thresholds and masses of its own; without, it knows ``topk``, and ``topp`` with a
            ``top_p``.
        rule: ``threshold`` - the paper's calibrated threshold, so heads and layers get unequal shares;
            ``topk`` - the same number of keys for every head; ``topp`` - for every head the smallest set that
            holds a probability mass, the same mass for all.
        scope: of the threshold: one for the ``model`` (paper), for each ``layer``, or for each ``head``.
        top_p: with ``topp``, the mass itself in place of a size.
        block: query tokens of a user input that are selected for together; ``None``: all (paper).
        reduce: over the query heads of a KV head: ``mean`` (paper) or ``max``.

    Raises:
        ValueError: an unknown name, a mass or a block out of range.
    """

    calibrated: ClassVar[bool] = True

    rule: str = "threshold"
    scope: str = "model"
    top_p: float | None = None
    block: int | None = None
    reduce: str = "mean"

    def __post_init__(self) -> None:
        for name, known in (("rule", RULES), ("scope", SCOPES), ("reduce", REDUCTIONS)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}"
                )
        bare = self.rule == "threshold" or (self.rule == "topp" and self.top_p is None)
        if bare and not self.calibrated:
            raise ValueError(
                f"rule is {self.rule!r}, which {type(self).__name__} has no calibration for; use topk, or "
                "topp with top_p"
            )
        if self.block is not None and self.block < 1:
            raise ValueError(f"block is {self.block}; expected at least 1 query token")
        self._check_question()
        if self.top_p is None:
            super().__post_init__()
            return
        if self.rule != "topp":
            raise ValueError(f"top_p is given, but rule is {self.rule!r}; use rule='topp'")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; expected a probability mass in (0, 1]")
        if (self.sparsity, self.kv_budget, self.kv_tokens) != (None, None, None):
            raise ValueError("top_p is given beside a size; ask for one of them")
        if self.dense_layers < 0:
            raise ValueError(f"dense_layers is {self.dense_layers}; expected 0 or more")

    def size_of_layer(self, context: Context, dense: int) -> Size:
        if self.top_p is not None:
            return Size(0.0, float("nan"))
        return super().size_of_layer(context, dense)


@dataclass(frozen=True)
class Rule:
    """A rule made ready for one layer.

    Attributes:
        method: the settings. size: to meet. layer: the layer's index. number: its place among the layers
            that are not dense, which are those that thresholds are calibrated for.
    """

    method: RuledMethod
    size: Size
    layer: LayerIndex
    number: int

    @property
    def block(self) -> int | None:
        """Query tokens that are selected for together."""
        return self.method.block

    def phase(
        self, pair: Pair | None, query: torch.Tensor, valid: torch.Tensor | None
    ) -> Calibration | None:
        """The calibration for a pass: of single tokens if it is one, else of user inputs.

        Args:
            pair: for user inputs and for single tokens. query, valid: as for ``Selector.select``; a token is
                one also where it is padded to a whole block.
        """
        if pair is None:
            return None
        tokens = query.shape[2]
        if valid is not None and self.block is not None:  # else the longest input has no padding
            tokens = int(valid.sum(1).max())
        return pair[int(tokens <= 1)]

    def keep(
        self,
        log_scores: torch.Tensor,
        counts: torch.Tensor,
        lookup: torch.Tensor | float,
        sparsity: float,
        calibration: Calibration | None,
    ) -> torch.Tensor:
        """Groups that are kept at the finest level, boolean ``[B, H, T, C]``.

        Args:
            log_scores: ``[B, H, T, C]``. counts: keys of each group ``[H, C]``. lookup: read so far, tokens.
            sparsity: that meets the size if the lookup costs what it is expected to. calibration: for the
                rules that need one; others take ``None``.
        """
        if self.method.rule == "topk":
            return top_rows(log_scores, counts, self.size.rows(self.layer, lookup))
        if self.method.rule == "topp":
            mass = self.method.top_p
            if mass is None:
                assert calibration is not None
                mass = calibration.mass_for(sparsity)
            return top_mass(log_scores, counts, mass)
        if sparsity <= 0:
            return log_scores > -torch.inf
        assert calibration is not None
        threshold = calibration.levels[-1].threshold(sparsity, self.method.scope, self.number)
        return above_threshold(log_scores, threshold.to(log_scores.device))
