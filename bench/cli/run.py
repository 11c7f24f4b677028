"""``squeezed-bench run``, ``python -m bench``: one run, or with ``-m`` or an experiment a sweep of runs.

Every run is composed and checked at once, before torch is imported; only when all of them can work does the
first one start. A sweep leaves out runs whose size cannot be met, with a line that says why, and ends with
one table. ``dry_run=true`` lists the runs. Exit codes: 0 done, 1 a run could not go on, 2 bad input.
"""

import shlex
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import tasks
from bench.cli.arguments import OWN, Arguments, read
from bench.cli.check import called, check, foreign
from bench.config import schema
from bench.config.collector import uncollected
from bench.config.errors import ImpossibleError, InputError, RunError
from bench.config.guard import guarded
from bench.config.limit import limited
from bench.config.schema import Config
from bench.launch.asked import Asked
from bench.launch.extras import hint
from rows.compose import CONF, Composition, composition, help_text, plain
from rows.keys import SettingError

if TYPE_CHECKING:
    from bench.config.spec import RunSpec
    from bench.runs.work import Done

KEPT = "every answer that is recorded is kept, and the same command goes on from there"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments

    def work() -> None:
        asked = read(given)
        if asked.help:
            print(help_page(asked))
            return
        todo = compose(asked)
        if todo.dry_run:
            list_all(todo.plan)
            return
        with limited(todo.minutes):
            run_all(todo.plan, todo.launcher)

    return guarded(work, KEPT)


@dataclass(frozen=True)
class Todo:
    """What a command line asks for.

    Attributes:
        plan: its runs, each of them checked. launcher: of a sweep, if it names one.
        dry_run: only list the runs. minutes: when to stop; None: when all is done.
    """

    plan: "list[RunSpec]"
    launcher: Asked | None
    dry_run: bool
    minutes: float | None


def compose(asked: Arguments) -> Todo:
    """The runs that the command line asks for.

    Raises:
        InputError, SettingError: bad input in at least one run.
    """
    schema.register()
    tasks.register()
    try:
        with composition(CONF, asked.overrides, asked.multirun) as composed:
            configs = _checked(composed, asked)
            launcher = Asked.of(composed)
    except SettingError as error:
        raise InputError(f"{error}{hint(error)}") from error
    except (ValueError, FileNotFoundError) as error:
        raise InputError(str(error)) from error
    plan: dict[RunSpec, None] = {}
    first: dict[Path, RunSpec] = {}
    dropped: dict[str, None] = {}
    with uncollected():  # the first decision imports the library of its model
        from bench.cli.validate import decided  # late: now that the settings are right

        for config, overrides in configs:
            try:
                spec = decided(config, elsewhere=launcher is not None and launcher.elsewhere)
            except (ValueError, FileNotFoundError) as error:
                raise InputError(str(error)) from error
            if same := _times_only(first.setdefault(spec.folder, spec), spec):
                dropped.update(dict.fromkeys(same))
                continue
            plan[spec] = None
            if launcher is not None:
                launcher.note(spec, overrides, config.group_jobs)
    for text in dropped:
        print(text, file=sys.stderr)
    limits = [config.minutes for config, _ in configs if config.minutes is not None]
    dry_run = any(config.dry_run for config, _ in configs)
    return Todo(list(plan), launcher, dry_run, min(limits, default=None))


def _times_only(first: "RunSpec", other: "RunSpec") -> list[str]:
    """What to say of two points of a sweep that are one run, as what they differ in changes times alone."""
    pairs = {
        "batch_size": (first.batch_size, other.batch_size),
        "backend": (first.backend, other.backend),
        "model.threads": (first.model.threads, other.model.threads),
    }
    return [
        f"{name}={value} makes no run of its own, as it changes times only: left out beside {name}={before}; "
        "give it results=FOLDER of its own"
        for name, (before, value) in pairs.items()
        if before != value
    ]


def _checked(composed: Composition, asked: Arguments) -> list[tuple[Config, tuple[str, ...]]]:
    """The settings of every run with the overrides that make them, all checked."""
    found = []
    ignored: dict[str, list[str]] = defaultdict(list)
    given = {*asked.given, *(composed.swept if composed.multirun else ())}
    for point in composed.points():
        config: Config = plain(point.config)
        check(config)
        for key in foreign(config, given):
            if not composed.multirun:
                raise InputError(f"{called(config, key)} has no {key}; leave it out")
            ignored[key].append(called(config, key))
            config.method.own.pop(key.removeprefix(OWN), None)
        found.append((config, point.overrides))
    for key, names in ignored.items():
        methods = list(dict.fromkeys(names))
        verb = "has" if len(methods) == 1 else "have"
        print(f"{' and '.join(methods)} {verb} no {key}: ignored there", file=sys.stderr)
    return found


def run_all(plan: "list[RunSpec]", launcher: Asked | None) -> None:
    """Runs what is not finished yet, in the order given, and says where the records are.

    Raises:
        ImpossibleError: the only run cannot meet its size; one of several is left out with a line.
        InputError: disks or memory cannot hold it; or as ``bench.runs.run.execute``.
        RunError: as there; or, of several runs, some are not done.
    """
    with uncollected():
        from bench.cli.live import live
        from bench.launch.start import start
        from bench.runs import guards
        from bench.runs.lengths import check_lengths
        from bench.runs.work import failed_last, work

    check_lengths(plan)
    guards.check(plan, here=launcher is None or not launcher.elsewhere)
    if len(plan) > 1:
        _note(plan)
    with live(plan, elsewhere=launcher is not None):
        found = work(failed_last(plan)) if launcher is None else start(plan, launcher)
    outcomes = [(done.spec, done.outcome) for done in found if done.outcome is not None]
    if len(outcomes) > 1:
        from bench.runs import sweep  # late: with pandas

        print(f"\n{sweep.comparison(outcomes)}\n")
    for results in dict.fromkeys(spec.results for spec in plan):
        print(f"records: {results / 'runs'}; next: squeezed-bench report {_quoted(results)}")
    _require_all(found)


def list_all(plan: "list[RunSpec]") -> None:
    """Lists the runs, which of them are finished, and what the others may take.

    Raises:
        ImpossibleError: the only run cannot meet its size. RunError: damaged records.
    """
    from bench.runs import guards, sweep

    found = sweep.jobs(plan)
    if len(found) == 1 and found[0].impossible:
        raise ImpossibleError(f"{plan[0].title}: {found[0].impossible}")
    for number, job in enumerate(found, start=1):
        print(f"[{number}/{len(found)}] {job.line()}")
    print(guards.needs(plan).line())
    print(sweep.overview(found))


def _quoted(results: Path) -> str:
    """The folder of results as a setting that a shell takes."""
    return shlex.quote(f"results={results}")


def _note(plan: "list[RunSpec]") -> None:
    from bench.records import manifest

    try:
        manifest.note(plan)
    except OSError as error:
        raise RunError(
            f"cannot write down the sweep: {error}; make room, or set results=FOLDER"
        ) from error


def _require_all(found: "list[Done]") -> None:
    """Raises RunError if a run is not done, and not because its size cannot be met."""
    undone = [done for done in found if done.outcome is None and not done.skipped]
    if undone:
        raise RunError(
            f"{len(undone)} of {len(found)} runs are not done, the first one because: {undone[0].reason}. "
            f"All of them: squeezed-bench status {_quoted(undone[0].spec.results)}; the same command again "
            "tries them again"
        )


def help_page(asked: Arguments) -> str:
    """The help page, with the keys and their values as the command line has them."""
    schema.register()
    tasks.register()
    with composition(CONF, asked.overrides, asked.multirun) as composed:
        return help_text(CONF, composed)
