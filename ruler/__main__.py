"""``python -m ruler``: writes the rows of RULER tasks as files. ``--help`` lists the keys."""

import dataclasses
import gc
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, NoReturn, cast

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from tqdm import tqdm

from ruler import publish
from ruler.config import RulerConfig, register
from ruler.download import MissingDataError
from ruler.generate import rows
from ruler.parquet import read_parquet, write_parquet
from ruler.plan import Plan, make_plan
from ruler.rows import Row, RowError, read_jsonl, write_jsonl
from ruler.tasks import TASKS, get_task
from ruler.tokens import TokenCounter

# A folder of its own: in conf/ itself Hydra takes task= for the choice of a file of conf/task.
CONF = Path(__file__).resolve().parents[1] / "conf" / "ruler"
TEXT_KEYS = ("task", "tokenizer", "out", "prompts", "essays", "squad", "hotpotqa")
FORMATS = {
    "jsonl": (write_jsonl, read_jsonl),
    "parquet": (write_parquet, read_parquet),
}


def load_tokenizer(name: str) -> Any:
    """The tokenizer of the embedded model (``mini``), of a local folder, or of a hub id.

    Raises:
        ValueError: there is no such tokenizer.
    """
    source = str(_mini()) if name == "mini" else str(Path(name).expanduser())
    if name.startswith((".", "/", "~")) and not Path(source).is_dir():
        raise ValueError(f"tokenizer: no folder {name}; give mini, a local folder, or a hub id")
    from transformers import AutoTokenizer  # takes seconds, so after all checks

    try:
        return AutoTokenizer.from_pretrained(source)
    except Exception as error:  # any of a dozen kinds, by what is wrong with the folder or the hub
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"tokenizer: cannot load {name!r} ({reason[0]}); give mini, a local folder with "
            "tokenizer files, or a hub id"
        ) from error


def _mini() -> Path:
    # Found by path, only when asked for: this package must not depend on bench.
    found = importlib.util.find_spec("bench") and importlib.util.find_spec("bench.models")
    for location in (found and found.submodule_search_locations) or ():
        if (folder := Path(location) / "mini").is_dir():
            return folder
    raise ValueError("tokenizer: the embedded model is not installed (no folder bench/models/mini)")


def task_names(task: str) -> list[str]:
    """The tasks that ``task`` asks for: one, several with commas between, or ``all``.

    Raises:
        ValueError: an unknown name, or none.
    """
    if task == "all":
        return list(TASKS)
    names = [name.strip() for name in task.strip("[]").split(",") if name.strip()]
    if not names:
        raise ValueError(f"task is {task!r}; expected all, or one or more of {', '.join(TASKS)}")
    return [get_task(name).name for name in dict.fromkeys(names)]


def check_folder(folder: Path) -> None:
    """Whether files can be put into ``folder``, which may not be there yet.

    Raises:
        ValueError: they cannot.
    """
    parent = folder.absolute()
    while not parent.exists() and not parent.is_symlink():
        parent = parent.parent
    if not parent.is_dir():
        raise ValueError(f"out: {folder} cannot be made, {parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ValueError(f"out: no permission to write into {parent}")


def same_settings(path: Path, plan: Plan) -> list[Row] | None:
    """The rows of an existing file if it was made with the settings of ``plan``, else None."""
    try:
        found = FORMATS[path.suffix[1:]][1](path)
    except RowError:
        return None  # damaged, or no rows of ours
    wanted = plan.settings()
    complete = len(found) == plan.samples * plan.questions
    same = all({key: row.meta.get(key) for key in wanted} == wanted for row in found)
    return found if complete and same else None


def write_files(plan: Plan, settings: RulerConfig) -> None:
    """Makes the files of one task, or keeps those that are there. Prints which.

    Raises:
        ValueError: the length is too short, or another file stands in the way.
        OSError: a file cannot be written.
    """
    out = Path(settings.out)
    kinds = list(FORMATS) if settings.format == "both" else [settings.format]
    made: list[Row] | None = None
    for kind in kinds:
        path = out / plan.task.name / f"{plan.length}.{kind}"
        if path.exists() and not settings.overwrite:
            found = same_settings(path, plan)
            if found is None:
                raise ValueError(
                    f"{path} is there already and was made with other settings; "
                    "give another out=, or overwrite=true to replace it"
                )
            report("kept", path, found)
        else:
            found = made = made or make(plan, settings.workers)
            FORMATS[kind][0](path, found)
            report("wrote", path, found)
        publish.note(out, path, found)


def make(plan: Plan, workers: int) -> list[Row]:
    """The rows of a plan, behind a progress bar."""
    total = plan.samples * plan.questions
    # disable=None: no bar where stderr is not a terminal. leave=False: an error stands alone.
    each = rows(plan, workers)
    gc.freeze()  # or the collector looks through all that the imports left, again and again
    try:
        with tqdm(each, plan.task.name, total, unit="row", disable=None, leave=False) as bar:
            return list(bar)
    finally:
        gc.unfreeze()


def report(what: str, path: Path, found: list[Row]) -> None:
    """Prints one line about a file: path, rows, mean fill, and the haystack if not the standard."""
    fill = sum(row.meta["total_tokens"] / row.meta["length"] for row in found) / len(found)
    meta = found[0].meta
    note = ""
    if meta.get("haystack") != meta.get("haystack_standard"):
        note = f", {meta['haystack']} in place of {meta['haystack_standard']}"
    print(f"{what} {path}: {len(found)} rows, {fill:.1%} of {meta['length']} tokens filled{note}")


def run(config: DictConfig) -> None:
    """Makes or keeps the file of every task of a configuration.

    Raises:
        ValueError, OSError: as ``write_files``; nothing was written if a setting is wrong. With
            ``task=all`` a task whose data cannot be had is left out, and said at the end.
    """
    if OmegaConf.is_missing(config, "out"):
        raise ValueError("out is missing; say where the files go with out=DIR")
    settings = cast(RulerConfig, OmegaConf.to_object(config))
    names = task_names(settings.task)
    check_folder(Path(settings.out))
    publish.read_manifest(Path(settings.out))
    for name in ("samples", "workers"):
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} is {getattr(settings, name)}; expected at least 1")
    if settings.format not in (*FORMATS, "both"):
        known = ", ".join([*FORMATS, "both"])
        raise ValueError(f"format is {settings.format!r}; expected one of {known}")
    tokens = TokenCounter(load_tokenizer(settings.tokenizer), settings.chat)
    plans, missing = [], []
    for name in names:
        try:
            plans.append(plan_of(name, settings, tokens))
        except MissingDataError as error:
            if settings.task != "all":
                raise
            missing.append(f"{name} is left out: {error}")  # the others need no download
    for plan in plans:
        write_files(plan, settings)
    if missing:
        raise ValueError("; ".join(missing))


def plan_of(name: str, settings: RulerConfig, tokens: TokenCounter) -> Plan:
    """The checked settings of one task."""
    return make_plan(
        name,
        tokens,
        settings.length,
        settings.samples,
        seed=settings.seed,
        prompts=settings.prompts,
        questions_per_context=settings.questions_per_context,
        essays=settings.essays,
        parameters=settings.given(),
        squad=settings.squad,
        hotpotqa=settings.hotpotqa,
        compat=settings.compat,
    )


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def app(config: DictConfig) -> None:
    """The Hydra application."""
    try:
        run(config)
    except (ValueError, OSError, OmegaConfBaseException) as error:
        fail(error)  # here and not in main: Hydra would print a line of its own about it


def quoted(argument: str) -> str:
    """An argument that Hydra takes as it is: paths with blanks or ``=``, tasks with commas."""
    key, equals, value = argument.partition("=")
    plain = value and value[0] not in "'\"[" and value != "null" and "${" not in value
    if key not in TEXT_KEYS or not equals or not plain:
        return argument
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}="{escaped}"'


def main() -> None:
    """Runs the command. Exit code 2 and one line on stderr when the user's input is at fault."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise its errors instead of printing them
    if not {"-m", "--multirun"} & set(sys.argv):  # where commas mean a sweep
        sys.argv[1:] = [quoted(argument) for argument in sys.argv[1:]]
    register()
    try:
        app()
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__
        fail(cause if isinstance(cause, OmegaConfBaseException) else error)


def fail(error: BaseException) -> NoReturn:
    """Ends the process with exit code 2 and one line about an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if isinstance(error, OmegaConfBaseException):
        key = error.full_key or error.key
        known = ", ".join(field.name for field in dataclasses.fields(RulerConfig))
        unknown = isinstance(error, ConfigKeyError | ConfigAttributeError)
        text = f"unknown key {key!r}; known: {known}" if unknown else f"{key}: {text}"
    elif isinstance(error, HydraException):
        text += "; put a value with special characters into quotes"
    print(f"ruler: {text} (see python -m ruler --help)", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
