"""One run, fully decided: frozen values, the identity that names its folder, and nothing else."""

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ModelSpec:
    """``label`` names the model in results; ``source`` is a checkpoint folder or a Hugging Face id;
    ``fingerprint`` is of its files; ``device`` is resolved. ``threads`` changes times only."""

    name: str
    path: str | None
    label: str
    source: str
    dtype: str
    device: str
    fingerprint: str
    threads: int | None = None


@dataclass(frozen=True)
class TaskSpec:
    """The rows of a run; fields as in ``bench.config.TaskConf``.

    ``label`` is the subtask's name in results: with several questions on a context it may differ
    from the standard task, and then has another name. ``generator``: version of the rows'
    generator. ``essays_fingerprint``: hash of the essay file's content.
    """

    label: str
    name: str
    subtask: str
    length: int
    samples: int
    questions_per_context: int
    seed: int
    prompts: str
    essays: str | None
    essays_fingerprint: str | None
    generator: str
    max_new_tokens: int | None


@dataclass(frozen=True)
class IndexSpec:
    """How the fixed context is prepared; ``levels`` are shares of its keys, coarse to fine."""

    levels: tuple[float, ...]
    window: int
    seed: int


@dataclass(frozen=True)
class MethodSpec:
    """A method by name, with the parameters that it has, sorted by name, none of them None."""

    name: str
    parameters: tuple[tuple[str, Any], ...]
    depth: int | None

    @property
    def slug(self) -> str:
        """Readable name, for instance ``squeezed-topk-sparsity0.9``."""
        known = dict(self.parameters)
        parts = [self.name, known.pop("rule", None)]
        parts += [f"depth{self.depth}"] if (self.depth or 1) > 1 else []
        sizes = ("sparsity", "kv_budget", "kv_tokens")
        parts += [f"{key}{known[key]}" for key in sizes if key in known]
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

    def identity(self) -> dict[str, Any]:
        """What changes the outcome. Parts that the method does not use are left out, so that
        ``full`` is one run at every sparsity."""
        identity: dict[str, Any] = {
            "model": {
                "name": self.model.label,
                "fingerprint": self.model.fingerprint,
                "dtype": self.model.dtype,
                "device": self.model.device.split(":")[0],
            },
            "task": {k: v for k, v in dataclasses.asdict(self.task).items() if k != "essays"},
            "method": {"name": self.method.name, **dict(self.method.parameters)},
        }
        if self.method.name != "full":
            identity["index"] = {"window": self.index.window, "seed": self.index.seed}
        if self.method.depth is not None:
            identity["method"]["depth"] = self.method.depth
            identity["index"]["levels"] = list(self.index.levels)
        return identity

    @property
    def title(self) -> str:
        """Short name for progress bars and messages."""
        return f"{self.task.label}-{self.task.length} {self.method.slug}"

    @property
    def folder(self) -> Path:
        """Folder of the run's records."""
        task = f"{self.task.name}-{self.task.label}-{self.task.length}"
        run = f"{self.method.slug}-{digest(self.identity())[:8]}"
        parts = (self.model.label, task, run)
        return self.results.joinpath("runs", *map(file_name, parts))


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, as hex; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def file_name(text: str) -> str:
    """The text as one safe file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "--", text).strip(".-") or "unnamed"
