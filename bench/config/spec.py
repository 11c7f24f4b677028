"""One run, fully decided: frozen values, the identity that names its folder, and nothing else."""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.config.methods import CALIBRATIONS, described
from rows.turn import NO_TURN, Turn


@dataclass(frozen=True)
class ModelSpec:
    """``label`` names the model in results; ``source`` is a checkpoint folder or a Hugging Face id;
    ``path``: as it was given. ``fingerprint`` is of its files, or of the GGUF file that they are from;
    ``device`` is resolved. ``threads`` changes times only.
    ``trust_remote_code``: the checkpoint's own Python code may run. ``spread``: over all GPUs.
    ``revision``: of a hub id; its fingerprint has it. ``turn``: what the chat template is given."""

    name: str
    path: str | None
    label: str
    source: str
    dtype: str
    device: str
    fingerprint: str
    threads: int | None = None
    trust_remote_code: bool = False
    spread: bool = False
    revision: str | None = None
    turn: Turn = NO_TURN

    def identity(self) -> dict[str, Any]:
        """What changes the outcome."""
        identity: dict[str, Any] = {
            "name": self.label,
            "fingerprint": self.fingerprint,
            "dtype": self.dtype,
            "device": self.device.split(":")[0],
        }
        if self.turn.system is not None:
            identity["system"] = self.turn.system
        if self.turn != Turn(self.turn.system):
            identity["chat_template_kwargs"] = json.loads(self.turn.arguments)
        return identity


CLOSED_BOOK = "-closed_book"  # end of the label of rows that are asked without their contexts
NOT_IDENTITY = {"identity": False}  # metadata of a field that two equal runs may differ in


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """The rows of a run. A task extends it with the rest of what decides its rows.

    All fields are hashable and such that JSON can hold them. Paths are not: they carry
    ``metadata=NOT_IDENTITY``, and ``data`` says what they hold.

    Attributes:
        name: the task. label: the subtask's name in results; other rows have another label.
        prompts: name of the prompt set.
        length: tokens of a whole row; None where the rows have lengths of their own.
        samples: contexts, each with ``questions_per_context`` rows; where contexts have unequal
            numbers of them, all rows, and None there. None if only the data tell.
        seed: of the rows; None where nothing is drawn.
        data: fingerprint of the data that the rows are made from; None where there are none.
        overrides: parameters changed from the standard subtask; the label says so too.
        max_new_tokens: tokens generated at most; None: what the row says.
        closed_book: the questions are asked without their contexts; the label says so too.
        documents: contexts, where ``samples`` are rows; fewest: questions that each of them has at least.
    """

    name: str
    label: str
    prompts: str
    length: int | None = None
    samples: int | None = None
    questions_per_context: int | None = None
    seed: int | None = None
    data: str | None = None
    overrides: tuple[tuple[str, Any], ...] = ()
    max_new_tokens: int | None = None
    # Its label tells it from the other runs, whose names and records are older than this field.
    closed_book: bool = field(default=False, metadata=NOT_IDENTITY)
    documents: int | None = field(default=None, metadata=NOT_IDENTITY)
    fewest: int | None = field(default=None, metadata=NOT_IDENTITY)

    @property
    def context_count(self) -> int | None:
        """Contexts that are prepared; None if only the data tell."""
        if self.closed_book:
            return 1
        return self.documents if self.questions_per_context is None else self.samples

    @property
    def least_questions(self) -> int:
        """Questions that every context has at least."""
        if self.closed_book and self.samples is not None:
            return self.samples * (self.questions_per_context or 1)
        return self.questions_per_context or self.fewest or 1

    def without_context(self) -> "TaskSpec":
        """The same questions as a control: what a model answers that has not read what they are about."""
        return dataclasses.replace(self, label=f"{self.label}{CLOSED_BOOK}", closed_book=True)

    def identity(self) -> dict[str, Any]:
        """What decides the rows and their answers."""
        return {
            each.name: getattr(self, each.name)
            for each in dataclasses.fields(self)
            if each.metadata.get("identity", True)
        }


@dataclass(frozen=True)
class IndexSpec:
    """How the fixed context is prepared, as for ``squeezed.prepare``; ``levels`` coarse to fine."""

    levels: tuple[float, ...]
    window: int
    seed: int
    strategy: str = "bottom-up"
    balance: float | None = None
    statistics: tuple[str, ...] = ()


@dataclass(frozen=True)
class MethodSpec:
    """A method by name, with the parameters that it has, sorted by name, none of them None.

    ``changed``: those that are not the engine's defaults. ``depth``: levels of its hierarchy, None without.
    ``calibration_inputs``: questions of each context that thresholds are calibrated on; 0: the window.
    ``calibration_pieces``: pieces of the document in their place.
    """

    name: str
    parameters: tuple[tuple[str, Any], ...]
    depth: int | None
    changed: tuple[tuple[str, Any], ...] = ()
    calibration_inputs: int = 0
    calibration_pieces: int = 0

    @property
    def slug(self) -> str:
        """Readable name, for instance ``squeezed-topk-depth2-sparsity0.9``."""
        known = dict(self.parameters)
        sizes = ("sparsity", "kv_budget", "kv_tokens", "top_p")
        parts = [self.name, known.get("rule")]
        parts += [f"depth{self.depth}"] if (self.depth or 1) > 1 else []
        parts += [f"{key}{known[key]}" for key in sizes if key in known]
        parts += [f"{k}-{v}" for k, v in self.changed if k not in ("rule", *sizes)]
        parts += [f"calibrated{self.calibration_inputs}"] if self.calibration_inputs else []
        parts += [f"pieces{self.calibration_pieces}"] if self.calibration_pieces else []
        return "-".join(str(part) for part in parts if part)


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides a run, and where its results and indexes go."""

    model: ModelSpec
    task: TaskSpec
    method: MethodSpec
    index: IndexSpec
    results: Path
    cache_dir: Path | None
    batch_size: int = 1
    backend: str = "auto"
    cache_max_bytes: int | None = None

    def identity(self) -> dict[str, Any]:
        """What changes the outcome. Parts that the method does not use are left out, so that
        ``full`` is one run at every sparsity."""
        identity: dict[str, Any] = {
            "model": self.model.identity(),
            "task": self.task.identity(),
            "method": {"name": self.method.name, **dict(self.method.parameters)},
        }
        if described(self.method.name).indexed:
            identity["index"] = {"window": self.index.window, "seed": self.index.seed}
        if self.method.depth is not None:
            identity["method"]["depth"] = self.method.depth
            # Statistics follow from the method. Runs from before they had names said so in this way.
            index = dataclasses.asdict(self.index) | {"levels": list(self.index.levels)}
            identity["index"] = index | {"accumulate": bool(index.pop("statistics"))}
        for name in CALIBRATIONS:
            if value := getattr(self.method, name):
                identity["method"][name] = value
        return identity

    @property
    def questions(self) -> int | None:
        """Questions that the run answers; None if only the data tell."""
        if self.task.samples is None:
            return None
        whole, inputs = self.task.samples * (self.task.questions_per_context or 1), 0
        if self.method.calibration_inputs:
            if self.task.context_count is None:
                return None
            inputs = self.method.calibration_inputs * self.task.context_count
        return whole - inputs

    @property
    def title(self) -> str:
        """Short name for progress bars and messages."""
        return f"{self.cell} {self.method.slug}"

    @property
    def cell(self) -> str:
        """The rows in short: subtask and length."""
        length = self.task.length
        return self.task.label if length is None else f"{self.task.label}-{length}"

    @property
    def folder(self) -> Path:
        """Folder of the run's records."""
        task = f"{self.task.name}-{self.cell}"
        run = f"{self.method.slug}-{digest(self.identity())[:8]}"
        parts = (self.model.label, task, run)
        return self.results.joinpath("runs", *map(file_name, parts))


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, as hex; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_name(text: str) -> str:
    """The text as one safe file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "--", text).strip(".-") or "unnamed"
