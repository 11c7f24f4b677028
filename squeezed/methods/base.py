"""What a method is: groups of rows, a score a group, and a rule that selects groups."""

import abc
import math
from dataclasses import dataclass

import torch

from squeezed.calibration import QuantileCurve
from squeezed.index import LayerIndex
from squeezed.selection import above_threshold, top_share

DEFAULT_SPARSITY = 0.9
RULES = ("threshold", "topk")


@dataclass(frozen=True)
class Selection:
    """The groups of clustered rows that one forward pass keeps in one layer.

    Attributes:
        keep: boolean ``[B, H, C]``. offsets: int32 ``[H, C + 1]``, rows of each group; ``None`` when every
            row is its own group (C = M).
        centroids: centroid rows that were scored for each KV head.
    """

    keep: torch.Tensor
    offsets: torch.Tensor | None
    centroids: int = 0

    def row_mask(self) -> torch.Tensor:
        """Boolean ``[B, H, M]`` over the clustered rows."""
        if self.offsets is None:
            return self.keep
        heads = [
            torch.repeat_interleave(self.keep[:, h], self.offsets[h].diff(), dim=1)
            for h in range(self.keep.shape[1])
        ]
        return torch.stack(heads, dim=1)

    def rows(self) -> torch.Tensor:
        """Kept rows of each KV head, ``[B, H]``."""
        if self.offsets is None:
            return self.keep.sum(-1)
        return (self.keep * self.offsets.diff(dim=1)).sum(-1)


class Method(abc.ABC):
    """Chooses the fixed-context rows that the queries of one forward pass attend to.

    A method holds settings only. The observation window is always attended and is not the method's business.
    """

    @abc.abstractmethod
    def select(
        self, query: torch.Tensor, layer: LayerIndex, curve: QuantileCurve
    ) -> Selection | None:
        """Selects groups of clustered rows.

        Args:
            query: ``[B, Hq, L, D]``, the queries processed together (user input, or one token).
            layer: the layer's index. curve: the context's calibration.

        Returns:
            The selection, or ``None`` for all rows.
        """


@dataclass(frozen=True)
class BudgetedMethod(Method):
    """A method that is asked for a size in one of three ways.

    Attributes:
        sparsity: share of the clustered keys to drop, in [0, 1).
        kv_budget: bytes to read (lookup and window included) as a share of the full K and V, in (0, 1].
        kv_tokens: the same as a number of tokens, at least 1.

    With none of them, ``sparsity`` is 0.9. The rule then meets the size as far as it can; what was really
    read is measured.

    Raises:
        ValueError: more than one is given, or one is out of range.
    """

    sparsity: float | None = None
    kv_budget: float | None = None
    kv_tokens: int | None = None

    def __post_init__(self) -> None:
        asked = [n for n in ("sparsity", "kv_budget", "kv_tokens") if getattr(self, n) is not None]
        if len(asked) > 1:
            raise ValueError(
                f"{' and '.join(asked)} are both given; ask for a size in one way only"
            )
        if not asked:
            object.__setattr__(self, "sparsity", DEFAULT_SPARSITY)
        if self.sparsity is not None and not 0 <= self.sparsity < 1:
            raise ValueError(
                f"sparsity is {self.sparsity}; expected a share in [0, 1), 0.9 drops 90 % of the keys"
            )
        if self.kv_budget is not None and not 0 < self.kv_budget <= 1:
            raise ValueError(f"kv_budget is {self.kv_budget}; expected a share in (0, 1]")
        if self.kv_tokens is not None and self.kv_tokens < 1:
            raise ValueError(f"kv_tokens is {self.kv_tokens}; expected at least 1")

    def solve_sparsity(self, layer: LayerIndex, centroids: int) -> float:
        """The sparsity that meets the asked size on this layer, in [0, 1].

        Args:
            layer: the layer's index. centroids: centroid rows the lookup reads (each half a token's bytes).

        Raises:
            ValueError: the asked budget does not even cover the window and the lookup.
        """
        if self.sparsity is not None:
            return self.sparsity
        if self.kv_tokens is not None:
            asked = float(self.kv_tokens)
        else:
            assert self.kv_budget is not None
            asked = self.kv_budget * layer.tokens
        fixed = layer.window + centroids / 2
        if asked < fixed:
            raise ValueError(
                f"a budget of {asked:.0f} of {layer.tokens} tokens does not cover the observation window "
                f"({layer.window} tokens) and the lookup ({centroids / 2:.0f} tokens' bytes); ask for at "
                f"least kv_budget={math.ceil(1000 * fixed / layer.tokens) / 1000}"
            )
        return max(0.0, 1 - (asked - fixed) / layer.clustered)


@dataclass(frozen=True)
class RuledMethod(BudgetedMethod):
    """A budgeted method that scores groups and keeps some by a rule.

    Attributes:
        rule: ``threshold`` - the paper's one global threshold for the whole model, so heads and layers get
            unequal shares; ``topk`` - the same share for every head.

    Raises:
        ValueError: an unknown rule.
    """

    rule: str = "threshold"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in RULES:
            raise ValueError(f"rule is {self.rule!r}; expected one of {', '.join(RULES)}")

    def keep(
        self,
        log_scores: torch.Tensor,
        counts: torch.Tensor,
        sparsity: float,
        curve: QuantileCurve,
    ) -> torch.Tensor:
        """Groups that the rule keeps, boolean ``[B, H, C]``, from log scores ``[B, H, C]`` and keys of each
        group ``[H, C]``."""
        if self.rule == "threshold":
            return above_threshold(log_scores, curve.threshold(sparsity))
        return top_share(log_scores, counts, sparsity)
