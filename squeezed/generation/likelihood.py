"""How likely given answers are on a fixed context, with the measured budget of reading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from squeezed.cache.accounting import mean_budget
from squeezed.cache.conversation import FixedContextCache, make_cache
from squeezed.context.data import Context
from squeezed.context.ids import require_known
from squeezed.methods.base import Method
from squeezed.model import attention, families, fingerprint, finite, positions, rope

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Likelihood:
    """How likely one answer is.

    Attributes:
        log_probability: natural logarithm, summed over the answer's tokens.
        greedy: each of its tokens is the most likely one.
        kv_budget: measured, mean over the passes that its tokens needed: the user input, then each token but
            the last, as if it had been generated.
    """

    log_probability: float
    greedy: bool
    kv_budget: float


@torch.inference_mode()
def likelihoods(
    model: PreTrainedModel,
    ctx: Context,
    question_ids: torch.Tensor,
    answers: Sequence[torch.Tensor],
    *,
    method: Method,
    backend: str = "auto",
) -> list[Likelihood]:
    """How likely each answer is behind one user input, with the method at work.

    The user input is one pass, then an answer's tokens are fed one by one: what is selected for a token never
    depends on the tokens behind it, as in generation. Generation settings of the checkpoint are not applied.

    Args:
        model: the model the context was prepared with.
        question_ids: token ids ``[L]``. answers: token ids ``[T]`` each.
        method: which fixed rows are attended. backend: of the kernels: ``auto``, or a name.

    Raises:
        ValueError: an empty user input or answer, a size the method cannot meet, or more tokens than the
            model has positions for. IndexMismatchError: the context belongs to another model.
        NonFiniteError: the model's logits are not finite; names step and layer.
        UnsupportedModelError: as for ``generate``.
    """
    empty = [number for number, each in enumerate(answers) if not each.numel()]
    if not question_ids.numel() or empty:
        what = f"answer {empty[0]}" if question_ids.numel() else "question_ids"
        raise ValueError(f"{what} is empty; expected at least one token")
    for each in (question_ids, *answers):
        require_known(each, model.config, "question_ids")
    fingerprint.require_model(model, ctx.model_fingerprint)
    longest = max((each.numel() for each in answers), default=1)
    whole = ctx.tokens + question_ids.numel() + longest - 1  # the last token is not fed
    positions.require_within(model.config, whole)
    rope.require_one_length(families.text_config(model), ctx.tokens, whole)
    attention.switch(model)
    found: list[Likelihood] = []
    fresh: _Asked | None = None  # one whose answer has not begun
    for answer in answers:
        asked = fresh or _Asked.of(model, ctx, question_ids, method, backend)
        likely = asked.answered(answer)
        if isinstance(likely, int):
            with finite.first_broken_layer(model) as broken:  # all passes are done once more
                _Asked.of(model, ctx, question_ids, method, backend).answered(answer)
            raise finite.non_finite_logits(model, likely, broken[0] if broken else None)
        found.append(likely)
        fresh = asked if answer.numel() == 1 else None
    return found


class _Asked:
    """A conversation that has just read its user input."""

    def __init__(self, model: PreTrainedModel, cache: FixedContextCache, start: int) -> None:
        """``start``: the position of the first token behind the context."""
        self.model, self.cache, self.place = model, cache, start
        self.logits = torch.empty(0)

    @classmethod
    def of(
        cls,
        model: PreTrainedModel,
        ctx: Context,
        question_ids: torch.Tensor,
        method: Method,
        backend: str,
    ) -> _Asked:
        start = ctx.tokens + positions.first_position(model.config)
        asked = cls(model, make_cache(ctx, method, backend=backend), start)
        asked.cache.progress.asking = True
        for part in question_ids.flatten().split(1 if ctx.restarts else question_ids.numel()):
            asked._feed(part)
        asked.cache.progress.asking = False
        return asked

    def answered(self, answer: torch.Tensor) -> Likelihood | int:
        """The likelihood of an answer's ids ``[T]``; feeds all of them but the last.

        If logits are not finite, the step they are of: 0 behind the user input, n behind the n-th token.
        """
        total, greedy = 0.0, True
        for place, token in enumerate(answer.tolist()):
            if place:
                self._feed(answer[place - 1 : place])
            if not finite.finite_logits(self.logits[None]):
                return place
            total += float(self.logits.float().log_softmax(-1)[token])
            greedy &= int(self.logits.argmax()) == token
        return Likelihood(total, greedy, mean_budget(self.cache.reads)[0])

    def _feed(self, ids: torch.Tensor) -> None:
        """One forward pass of ids ``[L]``; ``logits`` ``[V]`` are then of the token behind them."""
        places = torch.arange(self.place, self.place + ids.numel(), device=self.model.device)
        output = self.model(
            input_ids=ids[None].to(self.model.device),
            position_ids=places[None],
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.place += ids.numel()
        self.logits = output.logits[0, -1]
