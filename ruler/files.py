"""The files of RULER tasks: made, or kept where they are there already."""

import gc
from pathlib import Path

from tqdm import tqdm

from rows.command import check_folder
from rows.download import MissingDataError
from rows.formats import FORMATS
from rows.publish import read_manifest
from rows.row import Row, RowError
from rows.tokenizer import load_tokenizer
from rows.tokens import TokenCounter
from ruler import publish
from ruler.config import RulerConfig
from ruler.generate import rows
from ruler.plan import Plan, make_plan
from ruler.tasks import TASKS, get_task


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


def run(settings: RulerConfig) -> None:
    """Makes or keeps the file of every task that the settings ask for.

    Raises:
        ValueError, OSError: as ``write_files``; nothing was written if a setting is wrong. With
            ``task=all`` a task whose data cannot be had is left out, and said at the end.
    """
    names = task_names(settings.task)
    check_folder(Path(settings.out))
    read_manifest(Path(settings.out))
    for name in ("samples", "workers"):
        if getattr(settings, name) < 1:
            raise ValueError(f"{name} is {getattr(settings, name)}; expected at least 1")
    if settings.format not in (*FORMATS, "both"):
        known = ", ".join([*FORMATS, "both"])
        raise ValueError(f"format is {settings.format!r}; expected one of {known}")
    tokens = TokenCounter(load_tokenizer(settings.tokenizer, settings.chat), settings.chat)
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
