"""``squeezed-bench recommend``: the method and the smallest size that keep a model's answers.

Takes the settings of a run, also a sweep of methods and sizes, and three of its own. Candidates race: few
questions for all, more for those that can still be named (bench/racing). Every answer is a record of an
ordinary run, so a race that is stopped goes on, and a later one uses what is there.
"""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli import run as cli
from bench.cli.arguments import GROUPS, choices, known_keys, read
from bench.config.errors import InputError
from bench.config.guard import guarded
from bench.config.limit import limited
from bench.config.plain import parse, setting
from bench.tasks import TASKS
from rows.keys import meant, split

if TYPE_CHECKING:
    from bench.config.spec import RunSpec
    from bench.racing.answers import Field
    from bench.racing.race import Race

KEPT = "every answer that is recorded is kept, and the same command goes on with the race"
EXPERIMENT = "recommend"
# What is asked where nothing else is said: needles among others like them, for minutes on two CPU cores.
OFFLINE = {
    "task": "ruler",
    "task.subtask": "niah_multikey_2",
    "task.length": "2048",
    "task.samples": "12",
    "task.questions_per_context": "10",
    "task.max_new_tokens": "12",  # the longest answer has fewer; who has lost the needle goes on and on
}
ASKED = {"samples": "24", "questions_per_context": "8"}  # of tasks that have them
DOCUMENTS = "prefixqa"  # the task that documents become
USAGE = """squeezed-bench recommend [documents=FOLDER] [tolerance=5] [seed=0] [a run's settings]
(the same: python -m bench.recommend)

Names the method and the smallest size whose score stays within a tolerance of full attention's, on your
model and your documents, or on a task. Candidates race: few questions for all, more for those that can still
be named. Prints one table and one sentence, and keeps both below RESULTS/recommend.

  documents=null  a folder of texts, a file, or a .jsonl; questions are made by rule. null: a task
  tolerance=5     points, of 100, that a score may lose
  seed=0          of rows that are made, and of the order of questions

Candidates are all combinations of method=A,B and method.kv_budget=X,Y (conf/experiment/recommend.yaml).
minutes=N prints what is known by then. dry_run=true lists the candidates. docs/recommend.md says how it is
decided.

Examples:
  squeezed-bench recommend
  squeezed-bench recommend model=smollm2 documents=my-documents task.length=2048 minutes=30
  squeezed-bench recommend method=squeezed_best,quest method.kv_budget=0.1,0.2 tolerance=2

Exit codes: 0 the race is over, 1 it could not go on (the same command does), 2 a setting is wrong,
130 stopped by Ctrl-C, or because its minutes are over.
"""


@dataclass(frozen=True)
class Settings:
    """What a race has beside the settings of a run."""

    documents: str | None = setting(None, "a folder of texts, a file, or a .jsonl; null: a task")
    tolerance: float = setting(5.0, "points, of 100, that a score may lose")
    seed: int = setting(0, "of rows that are made, and of the order of questions")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code, as ``squeezed-bench run``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: _all(given), KEPT)


def _all(arguments: list[str]) -> None:
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return
    own = [each.name for each in dataclasses.fields(Settings)]
    for each in arguments:
        key = split(each)[1]
        if (
            "." not in key
            and key not in (*own, *known_keys(), *GROUPS)
            and (hint := meant(key, own))
        ):
            raise InputError(f"unknown key {key!r}{hint}")
    mine = [each for each in arguments if each.partition("=")[0] in own]
    settings = parse(mine, Settings)
    _check(settings)
    rest = with_defaults([each for each in arguments if each not in mine], settings)
    todo = cli.compose(read(rest))
    if todo.launcher is not None:
        raise InputError("the candidates race in this process; leave hydra/launcher out")
    if todo.dry_run:
        cli.list_all(todo.plan)
        return
    if settings.documents is not None:
        todo = cli.compose(read([*rest, f"task.data={_set_of(settings, todo.plan[0], rest)}"]))
    with limited(todo.minutes):
        _race(todo.plan, settings)


def _check(settings: Settings) -> None:
    if not 0 < settings.tolerance <= 100:
        raise InputError(
            f"tolerance is {settings.tolerance:g}; expected points above 0, at most 100"
        )
    if settings.documents is not None and not Path(settings.documents).expanduser().exists():
        raise InputError(f"documents: there is no {settings.documents}; give a folder or a file")


def with_defaults(arguments: Sequence[str], settings: Settings) -> list[str]:
    """The settings of the runs: those given, and a race's defaults for the others.

    An experiment says itself what it asks, so beside another one than ``recommend`` there are no defaults for
    the task.
    """
    given = {split(each)[1]: split(each)[3] for each in arguments}
    found = {} if "experiment" in given else {"experiment": EXPERIMENT}
    theirs = given.get("experiment", EXPERIMENT) not in (EXPERIMENT, "null")
    if settings.documents is not None:
        for key in ("task", "task.data"):
            if given.get(key, DOCUMENTS) != DOCUMENTS:
                raise InputError(f"{key} and documents are two sets of questions; give one of them")
        found["task"] = DOCUMENTS
    elif "task" not in given and not theirs:
        found |= OFFLINE
    task = given.get("task") or found.get("task") or _task_of(given["experiment"])
    fields = TASKS[task].conf.__dataclass_fields__ if task in TASKS else {}
    if not theirs:
        found = {f"task.{name}": value for name, value in ASKED.items() if name in fields} | found
    if "seed" in fields:
        found["task.seed"] = str(settings.seed)
    return [*(f"{key}={value}" for key, value in found.items() if key not in given), *arguments]


def _task_of(experiment: str) -> str:
    """The task of an experiment; of one that there is not, which is refused later, none."""
    from bench import tasks
    from bench.config import schema
    from rows.compose import CONF, composition

    if experiment not in choices("experiment"):
        return ""
    schema.register()
    tasks.register()
    with composition(CONF, [f"experiment={experiment}"], multirun=True) as composed:
        return str(composed.base.task.name)


def _set_of(settings: Settings, spec: "RunSpec", arguments: Sequence[str]) -> Path:
    """The set of questions on the documents, made once; its settings are those of the task."""
    from bench import models
    from bench.config.spec import digest
    from prefixqa.config import register
    from prefixqa.make import make
    from rows.compose import CONF, composition, plain
    from rows.keys import SettingError, quoted

    assert settings.documents is not None
    source = Path(settings.documents).expanduser().resolve()
    decided = {
        "source": str(source),
        "tokenizer": spec.model.source,
        "length": str(spec.task.length),
        "documents": str(spec.task.samples),
        "questions": str(spec.task.questions_per_context),
        "seed": str(settings.seed),
    }
    model, revision = spec.model, {"revision": spec.model.revision} if spec.model.revision else {}
    out = spec.results / "recommend" / f"documents-{digest({**decided, **revision})[:8]}"
    texts = dict.fromkeys(("source", "tokenizer", "out"), str)
    lines = [
        quoted(f"{key}={value}", texts, several=False, whole=texts)
        for key, value in {**decided, "backend": "extractive", "out": str(out)}.items()
    ]
    register()
    try:
        with composition(CONF / "prefixqa", lines, False) as composed:
            (point,) = composed.points()
        made = plain(point.config)
        tokenizer = None
        # By its name alone it would be the newest revision's, without the checkpoint's own code.
        if model.revision or model.trust_remote_code:
            tokenizer = models.load_tokenizer(model.source, model.trust_remote_code, model.revision)
        # A set whose documents have changed since is made again.
        make(dataclasses.replace(made, overwrite=True), tokenizer)
    except (SettingError, ValueError, OSError) as error:
        raise InputError(f"documents: {error}") from error
    return out


def _race(plan: "list[RunSpec]", settings: Settings) -> None:
    from bench.racing import report
    from bench.racing.answers import Field
    from bench.racing.race import Race
    from bench.runs import guards
    from bench.runs.lengths import check_lengths
    from bench.runs.run import say_caveat

    field = Field.of(plan, settings.seed)
    race = Race(list(field.candidates), settings.tolerance / 100, len(field.looks))
    if why := report.too_few(race, field):
        raise InputError(why)
    check_lengths(plan)
    guards.check([field.full, *plan])
    for spec in plan:
        say_caveat(spec)
    over = True
    try:
        race.run(field.ask)
        over = False
    finally:
        if not over or any(each.seen for each in race.standings.values()):
            _tell(race, field, settings, over=over)


def _tell(race: "Race", field: "Field", settings: Settings, *, over: bool) -> None:
    from bench.config.spec import digest
    from bench.racing import report
    from bench.reporting.output import as_csv, as_markdown, write_text

    rows, sentence = report.table(race, field), report.sentence(race, field, over=over)
    shown = as_markdown(report.shown(rows))
    key = [sorted(str(spec.folder) for spec in field.candidates.values()), repr(settings)]
    folder = field.full.results / "recommend" / digest(key)[:8]
    write_text(folder / "table.csv", as_csv(rows))
    write_text(folder / "answer.md", f"{sentence}\n\n{shown}\n")
    print(f"{shown}\n\n{sentence}\nkept: {folder}")
