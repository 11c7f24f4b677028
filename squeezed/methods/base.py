"""What a method is: what it declares of itself, the sizes it can be asked for, and its selectors."""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from squeezed.context.data import Context
from squeezed.errors import BudgetError
from squeezed.index.layer import LayerIndex
from squeezed.selection.selectors import Everything, Selector, Static

DEFAULT_SPARSITY = 0.9
SPARSE, DENSE = "sparse", "dense"
QUESTIONS = (SPARSE, DENSE)


class Method(abc.ABC):
    """Chooses the fixed-context rows that the queries of one forward pass attend to.

    A method holds settings only. The observation window is always attended and is not the method's business.

    A class declares what it needs, so that no code beside it has to know its name:

    Attributes:
        clustered: it reads the levels of clusters, so their number and sizes change its outcome.
        needs: names of the prefill statistics it needs (``squeezed.model.statistics``), which ``prepare`` is
            to be given (``statistics_for``).
        sized: what is asked for is what is read, as far as its rule can meet it; else it is the most.
        indexed: something of the index changes its outcome: window, clusters, order or statistics.
    """

    clustered: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    indexed: ClassVar[bool] = True
    sized: ClassVar[bool] = True

    @property
    def question(self) -> str:
        """How the user input is processed: ``sparse``, by the method; ``dense``, with full attention."""
        return SPARSE

    @property
    def caveat(self) -> str:
        """What whoever reads a result with these settings has to know, in one sentence; mostly nothing."""
        return ""

    @abc.abstractmethod
    def bind(self, context: Context, backend: str) -> Sequence[Selector]:
        """A selector for each layer of a context, which runs its lookups by a backend of the kernels.

        What it works out of the context alone (a static choice, bounds of pages, thresholds) is kept there:
        the first call takes the time for it.

        Raises:
            ValueError: the context cannot be asked for this size, or lacks what the method observes.
        """


def statistic(layer: LayerIndex, name: str, method: str) -> torch.Tensor:
    """A statistic of the prefill on the layer's device, for the method of that name.

    Raises:
        ValueError: the context was prepared without it.
    """
    if name not in layer.statistics:
        raise ValueError(
            f"{method} needs the statistic {name}, which this context was prepared without; prepare it with "
            f'statistics=("{name}",)'
        )
    return layer.statistics[name].to(layer.device)


@dataclass(frozen=True)
class Size:
    """A size to meet on one layer: a share to drop, or rows to read with everything counted.

    Attributes:
        sparsity: share of the clustered keys to drop; or ``None`` and
        tokens: what may be read, in tokens, window and lookup included.
    """

    sparsity: float | None
    tokens: float

    def rows(self, layer: LayerIndex, lookup: torch.Tensor | float) -> torch.Tensor:
        """Clustered rows to keep after a lookup of that many tokens, broadcastable to ``[B, H, T]``."""
        if self.sparsity is not None:
            return torch.tensor((1 - self.sparsity) * layer.clustered, device=layer.device)
        left = self.tokens - layer.window - lookup
        if isinstance(left, torch.Tensor):
            return left.clamp(0, layer.clustered)
        return torch.tensor(float(min(max(left, 0), layer.clustered)), device=layer.device)

    def row_count(self, layer: LayerIndex) -> int:
        """Clustered rows to keep without any lookup, at least 1."""
        return max(1, round(self.rows(layer, 0.0).item()))

    def as_sparsity(self, layer: LayerIndex, lookup: float) -> float:
        """The sparsity that meets the size if the lookup reads that many tokens."""
        if self.sparsity is not None:
            return self.sparsity
        return 1 - self.rows(layer, lookup).item() / layer.clustered


@dataclass(frozen=True)
class BudgetedMethod(Method):
    """A method that is asked for a size in one of three ways.

    Attributes:
        sparsity: share of the clustered keys to drop, in [0, 1).
        kv_budget: bytes to read (lookup and window included) as a share of the full K and V, in (0, 1].
        kv_tokens: the same as a number of tokens a layer, at least 1.
        dense_layers: first layers that attend to everything (a hybrid); they count towards the size.
        question: ``sparse``: the user input is processed by the method, too; ``dense``: it is processed with
            full attention, and only the tokens generated after it by the method (the set-up of most papers).
            The size is then that of the generated tokens' passes.

    With none of the first three, ``sparsity`` is 0.9. The rule then meets the size as far as it can; what was
    really read is measured.

    Raises:
        ValueError: more than one is given, or one is out of range.
    """

    sparsity: float | None = None
    kv_budget: float | None = None
    kv_tokens: int | None = None
    dense_layers: int = 0
    question: str = SPARSE

    def __post_init__(self) -> None:
        self._check_question()
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
        if self.dense_layers < 0:
            raise ValueError(f"dense_layers is {self.dense_layers}; expected 0 or more")

    def _check_question(self) -> None:
        if self.question not in QUESTIONS:
            raise ValueError(
                f"question is {self.question!r}; expected one of {', '.join(QUESTIONS)}"
            )

    @abc.abstractmethod
    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        """The selector of layer ``number`` that meets a size."""

    def lookup_floor(self, layer: LayerIndex) -> float:
        """What the lookup reads at least on a layer, in tokens."""
        return 0.0

    def rows_always(self, layer: LayerIndex) -> int:
        """Clustered rows of a head that are kept whatever they score, at most; told from shapes alone."""
        return 0

    def bind(self, context: Context, backend: str) -> Sequence[Selector]:
        dense = min(self.dense_layers, len(context.layers))
        if dense == len(context.layers) and self.sparsity is None and self.dense_layers > 0:
            raise BudgetError(
                f"dense_layers is {self.dense_layers}, which is all {dense} layers, so no size can be met; "
                "leave layers for the method, or use full"
            )
        if dense == len(context.layers):
            return [Everything() for _ in range(dense)]
        size = self.size_of_layer(context, dense)
        return [
            *(Everything() for _ in range(dense)),
            *self._made_once(context, dense, size, backend),
        ]

    def selectors(
        self, context: Context, first: int, size: Size, backend: str
    ) -> Sequence[Selector]:
        """The selectors of the layers from number ``first`` on, which meet a size together."""
        numbers = range(first, len(context.layers))
        return [self.selector(context, number, size, backend) for number in numbers]

    def _made_once(
        self, context: Context, first: int, size: Size, backend: str
    ) -> Sequence[Selector]:
        """The layers' selectors: new ones for each conversation, but static choices once a context."""
        key = (Static, self, first, backend)
        try:
            known: Sequence[Static] | None = context.derived.get(key)
        except TypeError:  # settings of somebody's own method that cannot be a key, such as a list
            return self.selectors(context, first, size, backend)
        if known is not None:
            return known
        found = self.selectors(context, first, size, backend)
        if all(isinstance(each, Static) for each in found):
            context.derive(key, lambda: found)
        return found

    def size_of_layer(self, context: Context, dense: int) -> Size:
        """The size of each layer that is not dense, so that all layers together meet what was asked.

        Raises:
            BudgetError: the asked size does not even cover window, lookup, rows that are always kept and
                dense layers.
        """
        if self.sparsity is not None:
            return Size(self.sparsity, math.nan)
        layer = context.layers[-1]
        asked = self.kv_budget * layer.tokens if self.kv_budget is not None else self.kv_tokens
        assert asked is not None
        total = len(context.layers)
        tokens = (asked * total - dense * layer.tokens) / (total - dense)
        lookup, always = self.lookup_floor(layer), self.rows_always(layer)
        floor = layer.window + lookup + always
        if tokens < floor:
            least = (floor * (total - dense) + dense * layer.tokens) / total / layer.tokens
            parts = [
                f"the observation window ({layer.window} tokens)",
                f"the lookup ({lookup:.0f} tokens' bytes)",
                f"the {always} rows that are always kept",
                f"{dense} of {total} layers that are dense",
            ]
            wanted = [
                part for part, there in zip(parts, (1, lookup, always, dense), strict=True) if there
            ]
            together = " and ".join(filter(None, [", ".join(wanted[:-1]), wanted[-1]]))
            raise BudgetError(
                f"a budget of {asked:.0f} of {layer.tokens} tokens does not cover {together}; "
                f"ask for at least kv_budget={math.ceil(1000 * least) / 1000}"
            )
        return Size(None, tokens)
