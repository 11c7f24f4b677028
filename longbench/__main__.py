"""``python -m longbench``: turns LongBench's data into rows. ``--help`` lists the keys."""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn, cast

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from longbench.config import LongBenchConfig, register
from longbench.errors import LongBenchError
from longbench.fetch import write_whole
from longbench.prompts import load_prompts
from longbench.rows import rows
from longbench.source import V2_NAME, find
from longbench.tasks import EXTENDED, EXTENDED_TASKS, TASKS, get_task
from ruler.rows import Row, RowError, read_jsonl, write_jsonl

# A folder of its own: in conf/ itself Hydra takes task= for the choice of a file of conf/task.
CONF = Path(__file__).resolve().parents[1] / "conf" / "longbench"
TEXT_KEYS = ("task", "data", "out", "prompts")
MANIFEST = "manifest.json"
KEPT = ("data", "data_sha256", "data_checked", "prompts", "prompts_sha256", "split")


def task_names(task: str) -> list[str]:
    """The tasks that ``task`` asks for: one, several with commas between, ``all`` or ``all_e``.

    Raises:
        LongBenchError: an unknown name, or none.
    """
    sets = {"all": list(TASKS), "all_e": [name + EXTENDED for name in EXTENDED_TASKS]}
    given = [name.strip() for name in task.strip("[]").split(",") if name.strip()]
    if not given:
        raise LongBenchError(f"task is {task!r}; expected all, all_e, v2, or names of tasks")
    for name in given:
        if name not in (*sets, V2_NAME):
            get_task(name)
    return list(dict.fromkeys(name for each in given for name in sets.get(each, [each])))


def check_folder(folder: Path) -> None:
    """Whether files can be put into ``folder``, which may not be there yet.

    Raises:
        LongBenchError: they cannot.
    """
    parent = folder.absolute()
    while not parent.exists() and not parent.is_symlink():
        parent = parent.parent
    if not parent.is_dir():
        raise LongBenchError(f"out: {folder} cannot be made, {parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise LongBenchError(f"out: no permission to write into {parent}")


def run(config: DictConfig) -> None:
    """Makes or keeps the file of every task of a configuration, one after the other.

    Raises:
        LongBenchError, RowError, OSError: a setting or a task's data are wrong; the files of the
            tasks before it are there and are kept by the next run.
    """
    if OmegaConf.is_missing(config, "out"):
        raise LongBenchError("out is missing; say where the files go with out=DIR")
    settings = cast(LongBenchConfig, OmegaConf.to_object(config))
    names = task_names(settings.task)
    out = Path(settings.out).expanduser()
    check_folder(out)
    if settings.samples is not None and settings.samples < 1:
        raise LongBenchError(f"samples is {settings.samples}; expected at least 1, or null for all")
    prompts = load_prompts(settings.prompts)
    # Each task's rows are held only while they are made: together they can be gigabytes.
    for name in names:
        found = rows(name, find(settings.data, name), prompts, settings.split, settings.samples)
        write_file(out, name, found, settings.overwrite)


def write_file(out: Path, name: str, found: list[Row], overwrite: bool) -> None:
    """Writes the rows of one task and its entry in the manifest, or keeps an equal file.

    Raises:
        LongBenchError: another file stands in the way. OSError: it cannot be written.
    """
    path = out / f"{name}.jsonl"
    done = "wrote"
    if path.exists() and not overwrite:
        if not _same(path, found):
            raise LongBenchError(
                f"{path} is there already and was made with other settings or data; give another "
                "out=, or overwrite=true to replace it"
            )
        done = "kept"
    else:
        write_jsonl(path, found)
    _note(out / MANIFEST, name, found)
    meta = found[0].meta
    checked = "checksum known" if meta["data_checked"] else "checksum recorded"
    print(
        f"{done} {path}: {len(found)} rows, data {meta['data']} ({checked} "
        f"{meta['data_sha256'][:12]}), prompts {meta['prompts']}, split {meta['split']}"
    )


def _same(path: Path, wanted: list[Row]) -> bool:
    try:
        return read_jsonl(path) == wanted
    except RowError:
        return False  # damaged, or no rows of ours


def _note(path: Path, name: str, found: list[Row]) -> None:
    """Puts the origin of a task's rows into the manifest beside them."""
    try:
        content: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError:
        content = {}  # damaged; what it says can be made again
    content[name] = {"rows": len(found), **{key: found[0].meta[key] for key in KEPT}}
    write_whole(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


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
        known = ", ".join(field.name for field in dataclasses.fields(LongBenchConfig))
        unknown = isinstance(error, ConfigKeyError | ConfigAttributeError)
        text = f"unknown key {key!r}; known: {known}" if unknown else f"{key}: {text}"
    elif isinstance(error, HydraException):
        text += "; put a value with special characters into quotes"
    print(f"longbench: {text} (see python -m longbench --help)", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
