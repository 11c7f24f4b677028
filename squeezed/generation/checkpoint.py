"""The generation settings that a checkpoint brings along, at work in the greedy loop.

``generation_config.json`` may ask for more than the most likely token: Qwen2.5 ships a repetition penalty.
What ``model.generate(do_sample=False)`` would do to the logits is done here, by transformers' own processors,
to each member of a batch as if it were alone.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch

from squeezed.generation.batch import Batch

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import GenerationConfig, LogitsProcessorList, PreTrainedModel

_NEUTRAL: dict[str, Any] = {
    "sequence_bias": None,
    "encoder_repetition_penalty": 1.0,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "bad_words_ids": None,
    "min_length": 0,
    "min_new_tokens": 0,
    "forced_eos_token_id": None,
    "exponential_decay_length_penalty": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "watermarking_config": None,
}  # settings that are applied, and their values that do nothing. (forced_bos_token_id: only after one token.)
_NEED_STOPS = ("min_length", "min_new_tokens", "exponential_decay_length_penalty")
_NOT_APPLIED: dict[str, Any] = {
    "num_beams": 1,
    "penalty_alpha": 0.0,
    "guidance_scale": 1.0,
    "dola_layers": None,
    "stop_strings": None,
    "max_time": None,
    "token_healing": False,
    "constraints": None,
    "force_words_ids": None,
}  # that choose other tokens too, and cannot be part of this loop


def settings(config: GenerationConfig | None, known: dict[str, Any]) -> dict[str, Any]:
    """Those of the ``known`` settings that do something, with their values."""
    given = ((name, getattr(config, name, None), nothing) for name, nothing in known.items())
    return {name: value for name, value, nothing in given if value is not None and value != nothing}


class Checkpoint:
    """A checkpoint's generation settings, for one batch of user inputs.

    Attributes:
        applied: settings that may change the answer, by name. ignored: those that would, and are not applied.
    """

    def __init__(
        self, model: PreTrainedModel, context: torch.Tensor, batch: Batch, max_new_tokens: int
    ) -> None:
        """``context``: ids of the fixed context ``[N]``; processors look at the whole sequence."""
        config = model.generation_config
        active = settings(config, _NEUTRAL)
        if getattr(config, "eos_token_id", None) is None:
            active = {name: each for name, each in active.items() if name not in _NEED_STOPS}
        self.applied, self.ignored = tuple(active), tuple(settings(config, _NOT_APPLIED))
        if self.ignored:
            warnings.warn(
                f"the checkpoint's generation settings {', '.join(self.ignored)} are not applied: answers "
                "are greedy, one token at a time",
                stacklevel=3,
            )
        self._rows: list[tuple[torch.Tensor, LogitsProcessorList]] = []
        self._used: list[int] = []
        if not active:
            return
        for ids, real in zip(batch.ids, batch.real, strict=True):
            prompt = torch.cat([context, ids[real]])
            room = torch.nn.functional.pad(prompt, (0, max_new_tokens)).to(model.device)
            longest = len(prompt) + max_new_tokens
            processors = _processors(model, active, room[: len(prompt)], longest)
            self._rows.append((room, processors))
            self._used.append(len(prompt))

    def choose(self, logits: torch.Tensor) -> torch.Tensor:
        """The next tokens ``[B, 1]`` for ``logits`` ``[B, V]``; each joins its member's sequence."""
        if not self._rows:
            return logits.argmax(-1, keepdim=True)
        chosen = []
        for place, (room, processors) in enumerate(self._rows):
            used = self._used[place]
            scores = logits[place : place + 1].to(room.device, torch.float32, copy=True)
            token = processors(room[None, :used], scores).argmax(-1)
            room[used] = token[0]
            self._used[place] += 1
            chosen.append(token)
        return torch.stack(chosen).to(logits.device)


def _processors(
    model: PreTrainedModel, active: dict[str, Any], prompt: torch.Tensor, longest: int
) -> LogitsProcessorList:
    """In transformers' order, for one member: its prompt ``[P]`` and the most tokens it can come to."""
    # Here, not above: it takes seconds, which who only checks arguments or reads help need not wait.
    import transformers as hf

    config, device, start = model.generation_config, prompt.device, len(prompt)
    assert config is not None
    stops = config.eos_token_id
    eos = None if stops is None else torch.tensor(stops, device=device).reshape(-1)
    if "min_new_tokens" in active:  # takes precedence, as in generate
        active = {**active, "min_length": start + active["min_new_tokens"]}
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    make: dict[str, Any] = {
        "sequence_bias": hf.SequenceBiasLogitsProcessor,
        "encoder_repetition_penalty": lambda penalty: hf.EncoderRepetitionPenaltyLogitsProcessor(
            float(penalty), prompt[None]
        ),
        "repetition_penalty": lambda penalty: hf.RepetitionPenaltyLogitsProcessor(float(penalty)),
        "no_repeat_ngram_size": hf.NoRepeatNGramLogitsProcessor,
        "encoder_no_repeat_ngram_size": lambda size: hf.EncoderNoRepeatNGramLogitsProcessor(
            size, prompt[None]
        ),
        "bad_words_ids": lambda words: hf.NoBadWordsLogitsProcessor(words, eos),
        "min_length": lambda least: hf.MinLengthLogitsProcessor(least, eos, device=device),
        "min_new_tokens": lambda least: hf.MinNewTokensLengthLogitsProcessor(
            start, least, eos, device=device
        ),
        "forced_eos_token_id": lambda token: hf.ForcedEOSTokenLogitsProcessor(
            longest, token, device=device
        ),
        "exponential_decay_length_penalty": lambda decay: hf.ExponentialDecayLengthPenalty(
            tuple(decay), eos, start
        ),
        "suppress_tokens": lambda ids: hf.SuppressTokensLogitsProcessor(ids, device=device),
        "begin_suppress_tokens": lambda ids: hf.SuppressTokensAtBeginLogitsProcessor(
            ids, start, device=device
        ),
        "watermarking_config": lambda mark: mark.construct_processor(vocabulary, device),
    }
    return hf.LogitsProcessorList([make[name](active[name]) for name in make if name in active])
