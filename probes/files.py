"""The files of made sets: made, or kept where they are there already."""

from pathlib import Path

from tqdm import tqdm

from probes.card import note
from probes.config import ProbesConfig
from probes.find import sets
from probes.generate import rows
from probes.plan import Plan, make_plan
from rows.command import check_folder
from rows.formats import FORMATS
from rows.publish import read_manifest
from rows.row import Row, RowError
from rows.tokenizer import load_tokenizer
from rows.tokens import TokenCounter


def run(settings: ProbesConfig) -> None:
    """Makes or keeps the file of every subtask that the settings ask for.

    Raises:
        ValueError, OSError: a setting is wrong, then nothing was written; a length is too short, or another
            file stands in the way.
    """
    names = [each.strip() for each in settings.set.strip("[]").split(",") if each.strip()]
    names = list(sets()) if names == ["all"] else list(dict.fromkeys(names))
    if not names:
        raise ValueError(f"set is {settings.set!r}; expected all, or one or more names")
    out = Path(settings.out)
    check_folder(out)
    read_manifest(out)
    if settings.format not in (*FORMATS, "both"):
        known = ", ".join([*FORMATS, "both"])
        raise ValueError(f"format is {settings.format!r}; expected one of {known}")
    tokens = TokenCounter(load_tokenizer(settings.tokenizer, settings.chat), settings.chat)
    for plan in [plan_of(name, settings, tokens) for name in names]:
        write_files(plan, settings)


def plan_of(name: str, settings: ProbesConfig, tokens: TokenCounter) -> Plan:
    """The checked settings of one subtask."""
    return make_plan(
        name,
        tokens,
        settings.length,
        settings.samples,
        questions_per_context=settings.questions_per_context,
        seed=settings.seed,
        options=settings.given(),
        empty=settings.empty,
    )


def write_files(plan: Plan, settings: ProbesConfig) -> None:
    """Makes the files of one subtask, or keeps those that are there. Prints which; errors as ``run``."""
    out = Path(settings.out)
    made: list[Row] | None = None
    for kind in FORMATS if settings.format == "both" else [settings.format]:
        path = out / plan.label / f"{plan.length}.{kind}"
        if path.exists() and not settings.overwrite:
            found = same_settings(path, plan)
            if found is None:
                raise ValueError(
                    f"{path} is there already and was made with other settings; "
                    "give another out=, or overwrite=true to replace it"
                )
            what = "kept"
        else:
            found = made = made or make(plan)
            FORMATS[kind][0](path, found)
            what = "wrote"
        fill = sum(row.meta["total_tokens"] / row.meta["length"] for row in found) / len(found)
        print(f"{what} {path}: {len(found)} rows, {fill:.1%} of {plan.length} tokens filled")
        note(out, path, found)


def make(plan: Plan) -> list[Row]:
    """The rows of a plan, behind a progress bar."""
    total = plan.samples * plan.subtask.questions(plan.count)
    # disable=None: no bar where stderr is not a terminal. leave=False: an error stands alone.
    with tqdm(rows(plan), plan.label, total, unit="row", disable=None, leave=False) as bar:
        return list(bar)


def same_settings(path: Path, plan: Plan) -> list[Row] | None:
    """The rows of an existing file if it was made with the settings of ``plan``, else None."""
    try:
        found = FORMATS[path.suffix[1:]][1](path)
    except RowError:
        return None  # damaged, or no rows of ours
    wanted = plan.settings()
    complete = len(found) == plan.samples * plan.subtask.questions(plan.count)
    same = all({key: row.meta.get(key) for key in wanted} == wanted for row in found)
    return found if complete and same else None
