"""Turns a configuration whose settings are right into a ``RunSpec``; what needs torch is decided here.

Everything is checked before any model is loaded: first by ``bench.cli.check``, then here.
"""

import importlib.util
from pathlib import Path

import torch

import squeezed
from bench import models
from bench.cli.check import cache_max_bytes, check, task_spec
from bench.config.errors import InputError
from bench.config.method_settings import index_spec, method_spec
from bench.config.model_settings import chat_turn, hub_fingerprint
from bench.config.schema import Config, ModelConf
from bench.config.spec import ModelSpec, RunSpec
from bench.models import checkpoint
from bench.records.provenance import fingerprint
from bench.runs import questions
from rows.gguf.header import is_gguf
from rows.redact import redact


def to_spec(config: Config) -> RunSpec:
    """The run that a configuration asks for.

    Raises:
        InputError, ValueError, FileNotFoundError: a setting cannot work.
    """
    check(config)
    return decided(config)


def decided(config: Config, *, elsewhere: bool = False) -> RunSpec:
    """As ``to_spec``, of a configuration that ``bench.cli.check`` has let through.

    Args:
        elsewhere: the run is for another machine, of which this one cannot tell what it has.
    """
    model, task = model_spec(config.model, elsewhere=elsewhere), task_spec(config.task)
    questions.check(model, task)
    return RunSpec(
        model=model,
        task=task,
        method=method_spec(config.method),
        index=index_spec(config.method, config.index),
        results=Path(config.results).expanduser(),
        cache_dir=Path(config.cache_dir).expanduser() if config.cache_dir else None,
        batch_size=config.batch_size,
        cache_max_bytes=cache_max_bytes(config.cache_max_gb),
        # The machine that runs it decides what auto means (``bench.launch.groups``).
        backend=config.backend if elsewhere else backend(config.backend, model.device),
    )


def backend(name: str, device: str) -> str:
    """The kernels' backend, with ``auto`` decided."""
    try:
        return squeezed.resolve_backend(name, torch.device(device))
    except ValueError as error:
        raise InputError(str(error)) from error


def model_spec(config: ModelConf, *, elsewhere: bool = False) -> ModelSpec:
    """The model, with the device decided and its files fingerprinted.

    Args:
        elsewhere: it is loaded on another machine.
    """
    device = _named_device(config.device) if elsewhere else resolve_device(config.device)
    if config.spread:
        _check_spread(device)
    turn = chat_turn(config)
    try:
        source = models.source_of(config.name or "hf", config.path)  # converts a GGUF file, once
    except (OSError, ValueError) as error:
        raise InputError(str(error)) from error
    folder = Path(source).resolve() if Path(source).is_dir() else None
    if folder and config.revision is not None:
        raise InputError(
            f"model.revision is {config.revision!r}, but model.path={config.path} is on this machine; a "
            "revision pins a hub id"
        )
    checkpoint.check_here(source, config.dtype, device, config.trust_remote_code, config.revision)
    return ModelSpec(
        name=config.name or "hf",
        path=models.expanded(config.path),
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
    """The model's name in results. Weights from elsewhere never pass for a model known by name."""
    if config.name is not None and (config.path is None or config.name not in models.NAMES):
        return redact(config.name)
    if is_gguf(str(config.path)):
        return redact(Path(str(config.path)).stem)
    return redact(folder.name if folder else str(config.path))


def resolve_device(device: str) -> str:
    """The device that ``auto`` means here, or the one named, if it is there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"model.device is {device!r}, but torch sees no GPU here; use auto or cpu")
    return device


def _named_device(device: str) -> str:
    """The device that jobs on other machines use; ``auto`` could only mean what this machine has."""
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    raise InputError(
        "model.device is 'auto', which torch sees no GPU for here, and the jobs run on other machines; say "
        "what these have: model.device=cuda or model.device=cpu"
    )


def _check_spread(device: str) -> None:
    """Checks that a model can be spread over GPUs here."""
    if device != "cuda":
        raise InputError(
            f"model.spread=true puts a model on all GPUs, but model.device means {device!r} here; it needs "
            "model.device=auto or cuda on a machine with GPUs"
        )
    if importlib.util.find_spec("accelerate") is None:
        raise InputError("model.spread=true needs the accelerate package: pip install accelerate")
