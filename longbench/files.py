"""The files of LongBench's tasks: made from its data, or kept where they are there already."""

import json
from pathlib import Path
from typing import Any

from longbench.config import LongBenchConfig
from longbench.errors import LongBenchError
from longbench.prompting.prompts import load_prompts
from longbench.rows import rows
from longbench.sources.source import V2_NAME, find
from longbench.tasks import EXTENDED, EXTENDED_TASKS, TASKS, get_task
from rows.command import check_folder
from rows.row import Row, RowError, read_jsonl, write_jsonl
from rows.whole import write_bytes

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


def run(settings: LongBenchConfig) -> None:
    """Makes or keeps the file of every task that the settings ask for, one after the other.

    Raises:
        ValueError, OSError: a setting or a task's data are wrong; the files of the
            tasks before it are there and are kept by the next run.
    """
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
    write_bytes(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())
