"""Turns a Hydra configuration into a ``RunSpec``, or says in one line what is wrong with it.

Everything is checked here, before any model is loaded.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import torch

from bench import models
from bench.config import Config, ModelConf, TaskConf
from bench.errors import InputError
from bench.examples import check_length
from bench.methods import levels, method_spec
from bench.provenance import fingerprint
from bench.spec import IndexSpec, ModelSpec, RunSpec, TaskSpec, digest
from ruler.plan import GENERATOR
from ruler.prompts import PROMPT_SETS
from ruler.tasks import TASKS, with_questions


def to_spec(config: Config) -> RunSpec:
    """The run that a configuration asks for.

    Raises:
        InputError, ValueError, FileNotFoundError: a setting cannot work.
    """
    method = method_spec(config.method)
    task = task_spec(config.task)
    if config.index.window < 1:
        raise InputError(f"index.window is {config.index.window}; expected at least 1")
    if task.length <= config.index.window:
        raise InputError(
            f"task.length is {task.length}; expected more than the observation window "
            f"(index.window={config.index.window}), which is always attended"
        )
    check_writable(Path(config.results))
    index = IndexSpec(levels(method.depth or 1), config.index.window, config.index.seed)
    model = model_spec(config.model)
    check_length(model, task)
    return RunSpec(
        model=model,
        task=task,
        method=method,
        index=index,
        results=Path(config.results),
        cache_dir=Path(config.cache_dir) if config.cache_dir else None,
    )


def task_spec(config: TaskConf) -> TaskSpec:
    """The rows to ask."""
    if config.name != "ruler":
        raise InputError(f"unknown task {config.name!r}; known: ruler")
    if config.subtask not in TASKS:
        raise InputError(f"unknown task.subtask {config.subtask!r}; known: {', '.join(TASKS)}")
    if config.prompts not in PROMPT_SETS:
        raise InputError(
            f"unknown prompt set task.prompts={config.prompts!r}; known: {', '.join(PROMPT_SETS)}"
        )
    for name in ("samples", "questions_per_context", "max_new_tokens"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise InputError(f"task.{name} is {value}; expected at least 1")
    essays = None
    if config.essays is not None:
        if not Path(config.essays).is_file():
            raise FileNotFoundError(f"task.essays: no file {config.essays}; expected a text file")
        essays = hashlib.sha256(Path(config.essays).read_bytes()).hexdigest()[:16]
    return TaskSpec(
        label=with_questions(TASKS[config.subtask], config.questions_per_context).name,
        essays_fingerprint=essays,
        generator=GENERATOR,
        **vars(config),
    )


def model_spec(config: ModelConf) -> ModelSpec:
    """The model, with the device decided and its files fingerprinted."""
    if config.name is None and config.path is None:
        raise InputError("no model given: set model.path=FOLDER_OR_HUB_ID, or use model=mini")
    name = config.name or "hf"
    models.check(name, config.path, config.dtype)
    if config.threads is not None and config.threads < 1:
        raise InputError(f"model.threads is {config.threads}; expected at least 1")
    source = config.path or str(models.MINI)
    folder = Path(source).resolve() if Path(source).is_dir() else None
    return ModelSpec(
        name=name,
        path=config.path,
        label=_label(config, folder),
        source=source,
        dtype=config.dtype,
        device=resolve_device(config.device),
        fingerprint=fingerprint(folder) if folder else digest(source)[:16],
        threads=config.threads,
    )


def _label(config: ModelConf, folder: Path | None) -> str:
    """The model's name in results. Weights from elsewhere never pass for the embedded model."""
    if config.name is not None and (config.path is None or config.name != "mini"):
        return config.name
    return folder.name if folder else str(config.path)


def resolve_device(device: str) -> str:
    """The device that ``auto`` means here, or the one named, if it is there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise InputError(f"model.device is {device!r}; expected auto, cpu or cuda") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(f"model.device is {device!r}, but torch sees no GPU here; use auto or cpu")
    return device


def check_writable(folder: Path) -> None:
    """Checks that files can be made below the results folder, by making one."""
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder / "runs", prefix=f".write-test-{os.getpid()}"):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to the results folder {folder}: {error.strerror}; give another: "
            f"results=FOLDER"
        ) from error
