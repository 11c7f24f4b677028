"""One model against itself: the engine with nothing dropped against the model's own single pass.

Compared are the logits of several user inputs, the greedy tokens, and a padded batch with its members one by
one, after a prefill in several chunks. The model's own pass is the measure, so this says nothing about
whether the model is any good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from squeezed_kernels import all_finite
from transformers import GenerationConfig

import squeezed
from squeezed.check.verdict import CRASHED, EXACT, REFUSED, UNBUILDABLE, WRONG, Verdict
from squeezed.errors import UnsupportedModelError
from squeezed.model import families

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

TOLERANCE = 2e-4  # largest difference of logits in float32, over their size
MARGIN = (
    3.0  # a low-precision model may differ from float32 by that multiple of what it does on its own
)


@dataclass(frozen=True)
class Plan:
    """What to try on a model.

    Attributes:
        tokens: of the fixed context. questions: lengths of the user inputs. window: observation window.
        chunk: tokens a pass of the prefill. new: tokens to generate.
        vocabulary: ids below this one are drawn, from ``first`` on.
    """

    tokens: int = 150
    questions: tuple[int, ...] = (5, 33, 12)
    window: int = 20
    chunk: int = 47
    new: int = 6
    first: int = 4
    vocabulary: int = 100


@dataclass(frozen=True)
class Own:
    """What a model says on its own, before the engine is switched on.

    Attributes:
        context: ids ``[N]``. questions: ids ``[L]`` each.
        logits: of each question's tokens, float32 ``[L, V]``.
    """

    context: torch.Tensor
    questions: tuple[torch.Tensor, ...]
    logits: tuple[torch.Tensor, ...]


@torch.inference_mode()
def check(model: PreTrainedModel, plan: Plan = Plan()) -> Verdict:
    """The verdict on a float32 model in evaluation mode, whose attention is still its own."""
    try:
        own = own_logits(model, plan)
    except Exception as error:
        return Verdict(UNBUILDABLE, f"its own pass fails: {_said(error)}")
    return compare(model, own, plan, TOLERANCE)


@torch.inference_mode()
def check_low(model: PreTrainedModel, plan: Plan, dtype: torch.dtype) -> Verdict:
    """The same in a low precision: the engine may err as the model itself does, against its float32 pass.

    Compared is the median over tokens of their largest error, not the largest of all, and no tokens: rounding
    decides between experts whose scores are near, and then the whole token differs.

    Args:
        model: in float32; it is converted.
    """
    try:
        wide = own_logits(model, plan)
        low = own_logits(model.to(dtype), plan)
    except Exception as error:
        return Verdict(UNBUILDABLE, f"its own pass fails: {_said(error)}")
    pairs = zip(low.logits, wide.logits, strict=True)
    own_error = torch.cat([_differences(a, b) for a, b in pairs]).median().item()
    try:
        ctx = squeezed.prepare(model, wide.context, window=plan.window, chunk=plan.chunk)
        found = torch.cat(_logits(model, ctx, wide)).median().item()
    except UnsupportedModelError as refusal:
        return Verdict(REFUSED, str(refusal))
    except Exception as failure:
        return Verdict(CRASHED, _said(failure))
    right = found <= MARGIN * own_error + TOLERANCE
    return Verdict(EXACT if right else WRONG, "" if right else "logits", found)


def own_logits(model: PreTrainedModel, plan: Plan) -> Own:
    """One pass over context and question for each question, without any cache."""
    draw = torch.Generator().manual_seed(7)

    def ids(count: int) -> torch.Tensor:
        return torch.randint(plan.first, plan.vocabulary, (count,), generator=draw)

    context = ids(plan.tokens)
    questions = tuple(ids(count) for count in plan.questions)
    logits = tuple(_own(model, torch.cat([context, each]))[len(context) :] for each in questions)
    if not all(map(all_finite, logits)):
        raise ValueError("its logits are not finite")
    return Own(context, questions, logits)


@torch.inference_mode()
def compare(model: PreTrainedModel, own: Own, plan: Plan, tolerance: float) -> Verdict:
    """The engine against what the model said on its own.

    Returns:
        ``wrong`` if anything differs by more than ``tolerance``.
    """
    try:
        ctx = squeezed.prepare(model, own.context, window=plan.window, chunk=plan.chunk)
        worst = torch.cat(_logits(model, ctx, own)).max().item()
        if not worst <= tolerance:
            return Verdict(WRONG, "logits", worst)
        note = _tokens(model, ctx, own, plan, tolerance)
    except UnsupportedModelError as error:
        return Verdict(REFUSED, str(error))
    except Exception as error:
        return Verdict(CRASHED, _said(error))
    if note.startswith(WRONG):
        return Verdict(WRONG, note.removeprefix(WRONG + " "), worst)
    return Verdict(EXACT, note, worst)


def _logits(model: PreTrainedModel, ctx: squeezed.FixedContext, own: Own) -> list[torch.Tensor]:
    """Differences of each token with every row kept, by both ways to keep them."""
    found = []
    for method in (squeezed.Full(), squeezed.Squeezed(sparsity=0.0)):
        for question, wanted in zip(own.questions, own.logits, strict=True):
            cache = ctx.cache(method)
            # One by one where a pass of several tokens forgets the state that the context left.
            parts = question.split(1) if ctx.restarts else [question]
            said = [
                model(input_ids=part[None].to(model.device), past_key_values=cache).logits[0]
                for part in parts
            ]
            found.append(_differences(torch.cat(said).float().cpu(), wanted))
    return found


def _tokens(
    model: PreTrainedModel, ctx: squeezed.FixedContext, own: Own, plan: Plan, tolerance: float
) -> str:
    """What is to be known of the answers: empty, or a sentence; it begins with ``wrong`` if they are."""

    def answers(asked: list[torch.Tensor]) -> torch.Tensor:
        method = squeezed.Squeezed(sparsity=0.0)
        out = squeezed.generate(
            model, ctx, asked, method=method, max_new_tokens=plan.new, min_new_tokens=plan.new
        )
        return out.sequences

    settings, note = model.generation_config, ""
    # The most likely tokens are asked for: nothing that a checkpoint's settings forbid or force.
    model.generation_config = GenerationConfig()
    alone: list[torch.Tensor] = []
    try:
        alone = [answers([question])[0] for question in own.questions]
        families.require_positions(model)
        together = list(answers(list(own.questions)))
    except UnsupportedModelError as error:
        if not alone:
            raise
        note, together = str(error), []
    finally:
        model.generation_config = settings
    for kind, rows in (("greedy tokens", alone), ("tokens of a padded batch", together)):
        for question, row in zip(own.questions, rows, strict=False):
            if not _likeliest(model, own.context, question, row, tolerance):
                return f"{WRONG} {kind}"
    return note


def _likeliest(
    model: PreTrainedModel,
    context: torch.Tensor,
    question: torch.Tensor,
    tokens: torch.Tensor,
    tolerance: float,
) -> bool:
    """Whether each of the tokens is what the model's own pass over all of them finds likeliest there.

    Equal up to rounding counts: where two logits are as near as that, either may come out.
    """
    logits = _own(model, torch.cat([context, question, tokens[:-1]]))[-len(tokens) :]
    best = logits.amax(-1)
    chosen = logits.gather(1, tokens[:, None])[:, 0]
    size = max(1.0, logits.abs().max().item())
    return bool((best - chosen <= 2 * tolerance * size).all())


def _own(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """Logits of one pass without the engine's cache, float32 ``[L, V]``."""
    out = model(input_ids=ids[None].to(model.device), use_cache=False)
    return out.logits[0].float().cpu()


def _differences(got: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The largest difference of each token's logits ``[L]``, over the largest logit or 1."""
    size = max(1.0, wanted.abs().max().item())
    return (got - wanted).abs().amax(-1) / size


def _said(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"
