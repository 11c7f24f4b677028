"""What is wrong with a run's settings, as far as it can be told in an instant: no model, no torch.

``bench.cli.validate`` goes on with what needs them.
"""

import importlib.util
import math
import os
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bench import models
from bench.config.errors import InputError
from bench.config.methods import CALIBRATIONS, described
from bench.config.schema import Config, MethodConf, ModelConf, TaskConf
from bench.config.spec import TaskSpec
from bench.config.values import check_index, check_method, thresholds
from bench.config.words import counted
from bench.tasks import get_task

DEVICE = re.compile(r"auto|(cpu|cuda|mps|xpu)(:\d+)?")


def check(config: Config) -> None:
    """Checks one run.

    Raises:
        InputError, ValueError, FileNotFoundError: a setting cannot work.
    """
    check_method(config.method)
    task = task_spec(config.task)
    check_index(config.index)
    if task.length is not None and task.length <= config.index.window:
        raise InputError(
            f"task.length is {task.length}; expected more than the observation window "
            f"(index.window={config.index.window}), which is always attended"
        )
    if config.batch_size < 1:
        raise InputError(f"batch_size is {config.batch_size}; expected at least 1 question")
    if config.method.calibration_inputs and config.method.calibration_pieces:
        raise InputError(
            "method.calibration_inputs and method.calibration_pieces are both given; calibrate on one of them"
        )
    asked, inputs = task.least_questions, config.method.calibration_inputs
    if thresholds(config.method) and inputs and asked <= inputs:
        fixed = task.questions_per_context is None
        which = "there are contexts with" if fixed else "each context has"
        way = "use method.calibration_pieces" if fixed else "raise task.questions_per_context"
        raise InputError(
            f"method.calibration_inputs is {inputs}, but {which} {counted(asked, 'question')}, so none would "
            f"be left to score; {way}"
        )
    if config.minutes is not None and not 0 < config.minutes < math.inf:
        raise InputError(
            f"minutes is {config.minutes}; expected a number above 0, or null for no limit"
        )
    cache_max_bytes(config.cache_max_gb)
    check_model(config.model)
    check_backend(config.backend)
    check_writable(Path(config.results).expanduser())


def check_model(config: ModelConf) -> None:
    """Checks the model's settings and its folder.

    Raises:
        InputError, ValueError, FileNotFoundError: as the settings say.
    """
    if config.name is None and config.path is None:
        raise InputError("no model given: set model.path=FOLDER_OR_HUB_ID, or use model=mini")
    models.check(config.name or "hf", config.path, config.dtype)
    if config.threads is not None and config.threads < 1:
        raise InputError(f"model.threads is {config.threads}; expected at least 1")
    if not DEVICE.fullmatch(config.device):
        raise InputError(f"model.device is {config.device!r}; expected auto, cpu, cuda or cuda:N")
    if config.spread and config.device not in ("auto", "cuda"):
        raise InputError(
            f"model.spread=true puts a model on all GPUs, but model.device is {config.device!r}; it needs "
            "model.device=auto or cuda on a machine with GPUs"
        )


def check_backend(name: str) -> None:
    """Checks the name of a backend; whether it can run here, torch must tell.

    Raises:
        InputError: no such backend.
    """
    loaded = sys.modules.get("squeezed_kernels.backend")
    known = tuple(loaded.MODULES) if loaded else _backends_on_disk()
    if name not in ("auto", *known):
        raise InputError(f"backend is {name!r}; expected auto or one of {', '.join(known)}")


def _backends_on_disk() -> tuple[str, ...]:
    found = importlib.util.find_spec("squeezed_kernels")
    places = found.submodule_search_locations if found else None
    folders = sorted(
        path.parent.name for place in places or () for path in Path(place).glob("*/ops.py")
    )
    return ("reference", *folders)


def cache_max_bytes(gigabytes: float | None) -> int | None:
    """The cap of the index cache in bytes.

    Raises:
        InputError: it would hold nothing.
    """
    if gigabytes is None:
        return None
    if not gigabytes > 0:
        raise InputError(
            f"cache_max_gb is {gigabytes}; expected more than 0, null for no cap, or cache_dir=null to "
            "keep no index"
        )
    return int(gigabytes * 1e9)


def task_spec(config: TaskConf) -> TaskSpec:
    """The rows to ask.

    Raises:
        InputError, ValueError, FileNotFoundError: as ``bench.tasks.base.Task.spec``.
    """
    task = get_task(config.name)
    if config.max_new_tokens is not None and config.max_new_tokens < 1:
        raise InputError(f"task.max_new_tokens is {config.max_new_tokens}; expected at least 1")
    if not isinstance(config, task.conf):
        raise InputError(
            f"task.name is {config.name!r}, but the settings are those of another task; "
            f"choose a task with task={config.name}"
        )
    spec = task.spec(config)
    return spec.without_context() if config.closed_book else spec


def check_writable(folder: Path) -> None:
    """Checks that files can be made below the results folder, by making one.

    Raises:
        InputError: they cannot.
    """
    try:
        (folder / "runs").mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder / "runs", prefix=f".write-test-{os.getpid()}"):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to the results folder {folder}: {error.strerror}; give another: "
            f"results=FOLDER"
        ) from error


def foreign(config: Config, given: Iterable[str]) -> list[str]:
    """Keys that were given and that the run's method does not have."""
    method = described(config.method.name)
    own = {f"method.{name}" for name in method.settings}
    own |= {f"method.own.{name}" for name in method.parameters}
    if not thresholds(config.method):
        own -= {f"method.{name}" for name in CALIBRATIONS if getattr(config.method, name)}
    if _levels_decide(config.method):
        own.discard("method.depth")
    return sorted(key for key in given if key.startswith("method.") and key not in own)


def _levels_decide(method: MethodConf) -> bool:
    """Whether the levels say another depth than the depth does."""
    return method.levels is not None and method.depth != len(method.levels)


def called(config: Config, key: str) -> str:
    """A run's method in a message that it does not have a key."""
    name = str(config.method.name)
    if key == "method.depth" and _levels_decide(config.method):
        return f"{name} with method.levels={list(config.method.levels or ())}"
    known = key.removeprefix("method.") in described(name).settings
    return f"{name} without thresholds (rule=topk, top_p)" if known else name
