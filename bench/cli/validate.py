"""Turns a Hydra configuration into a ``RunSpec``, or says in one line what is wrong with it.

Everything is checked here, before any model is loaded.
"""

import importlib.util
import os
import tempfile
from pathlib import Path

import torch

import squeezed
from bench import models
from bench.config.errors import InputError
from bench.config.method_settings import index_spec, method_spec
from bench.config.model_settings import chat_turn, hub_fingerprint
from bench.config.schema import Config, ModelConf, TaskConf
from bench.config.spec import ModelSpec, RunSpec, TaskSpec
from bench.models import checkpoint
from bench.records.provenance import fingerprint
from bench.runs.questions import check
from bench.tasks import get_task


def to_spec(config: Config) -> RunSpec:
    """The run that a configuration asks for.

    Raises:
        InputError, ValueError, FileNotFoundError: a setting cannot work.
    """
    method = method_spec(config.method)
    task = task_spec(config.task)
    index = index_spec(config.method, config.index)
    if task.length is not None and task.length <= config.index.window:
        raise InputError(
            f"task.length is {task.length}; expected more than the observation window "
            f"(index.window={config.index.window}), which is always attended"
        )
    if config.batch_size < 1:
        raise InputError(f"batch_size is {config.batch_size}; expected at least 1 question")
    asked = task.questions_per_context
    if method.calibration_inputs and asked is not None and asked <= method.calibration_inputs:
        raise InputError(
            f"method.calibration_inputs is {method.calibration_inputs}, but each context has {asked} "
            "questions, so none would be left to score; raise task.questions_per_context"
        )
    check_writable(Path(config.results))
    model = model_spec(config.model)
    check(model, task)
    return RunSpec(
        model=model,
        task=task,
        method=method,
        index=index,
        results=Path(config.results),
        cache_dir=Path(config.cache_dir) if config.cache_dir else None,
        batch_size=config.batch_size,
        cache_max_bytes=cache_max_bytes(config.cache_max_gb),
        backend=backend(config.backend, model.device),
    )


def cache_max_bytes(gigabytes: float | None) -> int | None:
    """The cap of the index cache in bytes."""
    if gigabytes is None:
        return None
    if not gigabytes > 0:
        raise InputError(
            f"cache_max_gb is {gigabytes}; expected more than 0, null for no cap, or cache_dir=null to "
            "keep no index"
        )
    return int(gigabytes * 1e9)


def backend(name: str, device: str) -> str:
    """The kernels' backend, with ``auto`` decided."""
    try:
        return squeezed.resolve_backend(name, torch.device(device))
    except ValueError as error:
        raise InputError(str(error)) from error


def task_spec(config: TaskConf) -> TaskSpec:
    """The rows to ask."""
    task = get_task(config.name)
    if config.max_new_tokens is not None and config.max_new_tokens < 1:
        raise InputError(f"task.max_new_tokens is {config.max_new_tokens}; expected at least 1")
    if not isinstance(config, task.conf):
        raise InputError(
            f"task.name is {config.name!r}, but the settings are those of another task; "
            f"choose a task with task={config.name}"
        )
    return task.spec(config)


def model_spec(config: ModelConf) -> ModelSpec:
    """The model, with the device decided and its files fingerprinted."""
    if config.name is None and config.path is None:
        raise InputError("no model given: set model.path=FOLDER_OR_HUB_ID, or use model=mini")
    name = config.name or "hf"
    models.check(name, config.path, config.dtype)
    if config.threads is not None and config.threads < 1:
        raise InputError(f"model.threads is {config.threads}; expected at least 1")
    device = resolve_device(config.device)
    if config.spread:
        _check_spread(device)
    turn = chat_turn(config)
    source = config.path or str(models.MINI)
    folder = Path(source).resolve() if Path(source).is_dir() else None
    if folder and config.revision is not None:
        raise InputError(
            f"model.revision is {config.revision!r}, but model.path={config.path} is a folder; a revision "
            "pins a hub id"
        )
    checkpoint.check_here(source, config.dtype, device, config.trust_remote_code, config.revision)
    return ModelSpec(
        name=name,
        path=config.path,
        label=_label(config, folder),
        source=source,
        dtype=config.dtype,
        device=device,
        fingerprint=fingerprint(folder) if folder else hub_fingerprint(source, config.revision),
        threads=config.threads,
        trust_remote_code=config.trust_remote_code,
        spread=config.spread,
        revision=config.revision,
        turn=turn,
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


def _check_spread(device: str) -> None:
    """Checks that a model can be spread over GPUs here."""
    if device != "cuda":
        raise InputError(
            f"model.spread=true puts a model on all GPUs, but model.device means {device!r} here; it needs "
            "model.device=auto or cuda on a machine with GPUs"
        )
    if importlib.util.find_spec("accelerate") is None:
        raise InputError("model.spread=true needs the accelerate package: pip install accelerate")


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
