"""The model ``squeezed`` of lm-evaluation-harness: its ``hf`` model, with the fixed context of each prompt
prefilled and indexed once, and read by a method at a KV budget.

Model, tokenizer, token ids, stop words and the cutting of answers are the harness's own; with ``method=full``
its scores are those of ``hf``. ``lm_eval`` finds this class by the entry point in ``pyproject.toml``;
versions that know no entry points (0.4.13 and older) by ``squeezed-bench lm_eval``.
"""

import inspect
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from tqdm import tqdm

import squeezed
from bench import models
from bench.config.errors import InputError
from bench.config.model_settings import hub_fingerprint
from bench.config.spec import ModelSpec
from bench.harness import room, settings
from bench.harness.cut import NothingFixedError, Prompt
from bench.harness.measured import Measured, context_key
from bench.records.provenance import fingerprint
from bench.runs.contexts import prepare
from squeezed.cache.accounting import mean_budget

# The names that tasks have for the longest answer.
ANSWER_TOKENS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
log = logging.getLogger(f"lm_eval.{__name__}")  # the harness shows its own loggers' lines


@register_model("squeezed")
class SqueezedLM(HFLM):
    """A causal LM whose prompts' fixed contexts are read at a KV budget.

    Args:
        pretrained: as for ``hf``; also ``mini`` and what else the suite knows by name, and GGUF files.
        given: arguments of ``hf``, and those of ``bench.harness.settings``: ``method`` (a file of
            ``conf/method``), its settings (``kv_budget=0.2``), ``context_field`` or ``marker``, ``window``,
            ``kernels``, ``cache_dir``, ``records``.

    Raises:
        InputError: an argument that cannot be.
    """

    def __init__(self, pretrained: Any, **given: Any) -> None:
        names = set(inspect.signature(HFLM.__init__).parameters)
        own = set(settings.ALL) | set(settings.require_known(given, names)) - names
        self.asked = settings.read({k: v for k, v in given.items() if k in own})
        others = {key: value for key, value in given.items() if key not in own}
        if str(others.get("batch_size", 1)) != "1":
            raise InputError(
                f"batch_size is {others['batch_size']}; squeezed answers one request at a time, on one "
                "context for all of them: leave it out"
            )
        source = _source(pretrained) if isinstance(pretrained, str) else pretrained
        super().__init__(pretrained=source, **others)
        if self.backend != "causal" or self.world_size > 1:
            what = (
                f"{self.world_size} processes" if self.world_size > 1 else f"{self.backend} model"
            )
            raise InputError(f"squeezed needs one process and a causal model; this is a {what}")
        try:
            squeezed.resolve_backend(self.asked.kernels, self.model.device)
        except ValueError as error:
            raise InputError(f"kernels: {error}") from error
        if caveat := self.asked.engine.caveat:
            log.warning("%s: %s", self.asked.method.slug, caveat)
        self._spec = self._model_spec(source, others)
        self._measured = Measured(self.asked)
        self._context: squeezed.FixedContext | None = None
        self._budget = float("nan")

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Answers, in the order of the requests.

        Raises:
            NothingFixedError: a task without a fixed context.
            InputError: a prompt is too long, or a context too short for the size.
        """
        prompts = [self._prompt(each, self.tok_encode(each.args[0])) for each in requests]
        found: dict[int, str] = {}
        room.check_lengths(
            prompts, [self._answer_tokens(each) for each in requests], self.max_length
        )
        for places, context, input_tokens in self._asking(prompts, disable_tqdm):
            self._context = context
            for place in places:
                (found[place],) = super().generate_until([requests[place]], disable_tqdm=True)
                self._note(prompts[place], self._budget, input_tokens, answer=found[place])
        self._context = None
        self._say(requests)
        return [found[place] for place in range(len(requests))]

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Log-probability of each continuation, and whether it is what greedy decoding gives.

        Raises:
            NothingFixedError: a task without a fixed context.
            InputError: a prompt is too long, or a context too short for the size.
        """
        for each in requests:
            if not each.args[0]:
                raise NothingFixedError(
                    f"task {each.task_name} asks for texts without a prompt: nothing is fixed"
                )
        pairs = [self._encode_pair(*each.args) for each in requests]
        prompts = [self._prompt(r, ids) for r, (ids, _) in zip(requests, pairs, strict=True)]
        # The last token of a continuation is never fed.
        room.check_lengths(prompts, [len(each) - 1 for _, each in pairs], self.max_length)
        found: dict[int, tuple[float, bool]] = {}
        for places, context, input_tokens in self._asking(prompts, disable_tqdm):
            ids = prompts[places[0]].ids
            continuations = [pairs[place][1] for place in places]
            likely = squeezed.likelihoods(
                self.model,
                context,
                torch.tensor(ids[-input_tokens:]),
                [torch.tensor(each) for each in continuations],
                method=self.asked.engine,
                backend=self.asked.kernels,
            )
            for place, each in zip(places, likely, strict=True):
                found[place] = each.log_probability, each.greedy
                self._note(
                    prompts[place],
                    each.kv_budget,
                    input_tokens,
                    log_probability=each.log_probability,
                    greedy=each.greedy,
                )
        self._say(requests)
        return [found[place] for place in range(len(requests))]

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Refuses texts that are scored as a whole.

        Raises:
            NothingFixedError: always.
        """
        raise NothingFixedError(
            f"task {requests[0].task_name} scores whole texts: nothing is fixed in them, and there is no "
            "user input; use model hf"
        )

    def set_cache_hook(self, cache_hook: Any) -> None:
        """Refuses the harness's file of answers, which would answer one budget by another's.

        Raises:
            InputError: always: its key is the request alone, without the model and its arguments.
        """
        raise InputError(
            "use_cache keeps answers by their prompt alone, so a run at another budget would be given them; "
            "leave it out (cache_dir=DIR keeps indexes, which any budget may use)"
        )

    def get_model_info(self) -> dict[str, Any]:
        """What the results say of the model, with the measured KV budget of each task."""
        info: dict[str, Any] = super().get_model_info()
        return info | {"squeezed": self._measured.summary()}

    def _model_generate(
        self, context: torch.Tensor, max_length: int, stop: list[str], **given: Any
    ) -> torch.Tensor:
        """As the harness's, on the fixed context that is being asked."""
        assert self._context is not None
        begins = context[0, : self._context.tokens].cpu()
        if context.shape[1] <= self._context.tokens or not torch.equal(begins, self._context.ids):
            raise InputError(
                f"a prompt of {context.shape[1]} tokens was cut to fit into the model's {self.max_length}, "
                "which takes away from its fixed context; give max_length=N, or shorter prompts"
            )
        cache = self._context.cache(self.asked.engine, backend=self.asked.kernels)
        out: torch.Tensor = super()._model_generate(
            context, max_length, stop, past_key_values=cache, **given
        )
        self._budget = mean_budget(cache.reads)[0]
        return out

    def _prompt(self, request: Instance, ids: Sequence[int]) -> Prompt:
        return Prompt(
            str(request.task_name), request.doc_id or 0, request.args[0], tuple(ids), request.doc
        )

    def _asking(
        self, prompts: list[Prompt], quiet: bool
    ) -> Iterator[tuple[list[int], squeezed.FixedContext, int]]:
        """The places of the requests of each prompt, its prepared context, and the tokens of its user input;
        a context after the other, each prepared once."""
        places = self.asked.cut.places(prompts, self.tok_encode)
        room.check(self.asked, self.model.config, self._spec.dtype, prompts, places)
        groups: dict[tuple[int, ...], dict[tuple[int, ...], list[int]]] = {}
        for number, (each, place) in enumerate(zip(prompts, places, strict=True)):
            members = groups.setdefault(each.ids[:place], {})
            members.setdefault(each.ids, []).append(number)
        with tqdm(total=len(prompts), disable=quiet, desc=self.asked.method.slug) as bar:
            for number, (ids, members) in enumerate(groups.items(), start=1):
                bar.set_postfix_str(f"context {number} of {len(groups)}, {len(ids)} tokens")
                prepared = prepare(
                    self.model,
                    torch.tensor(ids),
                    self.asked.index,
                    self._spec,
                    self.asked.cache_dir,
                )
                self._measured.context(context_key(ids), len(ids), prepared.prepare_ms)
                for whole, numbers in members.items():
                    yield numbers, prepared.context, len(whole) - len(ids)
                    bar.update(len(numbers))

    def _answer_tokens(self, request: Instance) -> int:
        """Tokens that the harness leaves room for behind a prompt."""
        given = request.args[1] if isinstance(request.args[1], dict) else {}
        found = (given.get(name) for name in ANSWER_TOKENS)
        return int(next((each for each in found if each is not None), self.max_gen_toks))

    def _note(self, prompt: Prompt, budget: float, input_tokens: int, **outcome: Any) -> None:
        tokens = len(prompt.ids) - input_tokens
        self._measured.note(
            {
                "task": prompt.task,
                "document": prompt.document,
                "method": self.asked.method.slug,
                "context": context_key(prompt.ids[:tokens]),
                "context_tokens": tokens,
                "question_tokens": input_tokens,
                "kv_budget": budget,
                **outcome,
            }
        )

    def _say(self, requests: list[Instance]) -> None:
        for task in dict.fromkeys(str(each.task_name) for each in requests):
            log.info("%s: %s", task, self._measured.line(task))

    def _model_spec(self, source: Any, others: dict[str, Any]) -> ModelSpec:
        """What indexes on disk are kept by."""
        changed = [name for name in ("peft", "delta", "gguf_file") if others.get(name)]
        if self.asked.cache_dir is not None and (not isinstance(source, str) or changed):
            what = changed[0] if changed else "a model that is loaded already"
            raise InputError(
                f"cache_dir needs a model known by its files; leave it out with {what}"
            )
        label = source if isinstance(source, str) else type(source).__name__
        folder = Path(label)
        known = fingerprint(folder) if folder.is_dir() else hub_fingerprint(label, self.revision)
        return ModelSpec(
            name="hf",
            path=label,
            label=folder.name,
            source=label,
            dtype=str(self.model.dtype).removeprefix("torch."),
            device=str(self.model.device),
            fingerprint=known,
        )


def _source(pretrained: str) -> str:
    """The folder or hub id of a model; the suite's own names and GGUF files become folders."""
    if pretrained in models.NAMES:
        return models.source_of(pretrained, None)
    return models.source_of("hf", pretrained)
