"""``python -m bench``: one run, or with ``-m`` or an experiment a sweep of runs.

Hydra composes every job first and each is checked at once; only when all of them can work does the
first one start. A sweep leaves out runs whose size cannot be met, with a line that says why, and ends
with one table. ``dry_run=true`` lists the runs. Exit codes: 0 done, 1 a run could not go on, 2 bad input.
"""

import os
import sys
from collections.abc import Callable

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench import launch, tasks
from bench.cli.validate import to_spec
from bench.config import schema
from bench.config.errors import InputError, RunError, fail
from bench.config.spec import RunSpec
from bench.records import manifest
from bench.runs import guards, sweep
from bench.runs.lengths import check_lengths
from bench.runs.work import Done, failed_last, work


def main() -> int:
    """Runs the command line; returns the exit code."""

    def work() -> None:
        plan, dry_run = compose()
        (list_all if dry_run else run_all)(plan)

    return guarded(work)


def guarded(work: Callable[[], None]) -> int:
    """Does the work of a command line; an error becomes one line, and an exit code that is returned."""
    # Hydra then raises its errors instead of printing a page and leaving with exit code 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        work()
    except RunError as error:
        return _fail(1, error)
    except (InputError, HydraException, OmegaConfBaseException) as error:
        return _fail(2, error)
    return 0


def compose() -> tuple[list[RunSpec], bool]:
    """The runs that the command line asks for, each of them checked, and whether only to list them.

    Raises:
        InputError: bad input in at least one job.
    """
    plan: list[RunSpec] = []
    refused: list[str] = []
    dry: set[bool] = set()

    def job(settings: DictConfig) -> None:
        dry.add(bool(settings.dry_run))
        try:
            spec = to_spec(OmegaConf.to_object(settings))  # type: ignore[arg-type]
        except (ValueError, FileNotFoundError) as error:
            refused.append(str(error))  # Hydra would print lines of its own about an exception
            return
        plan.append(spec)
        launch.note(spec, settings.group_jobs)

    launch.forget()
    schema.register()
    tasks.register()
    try:
        hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")(job)()
    except HydraException:
        raise
    except OSError as error:  # Hydra makes its folder before our own check of the results folder
        message = f"cannot write to the results folder: {error}; set results=FOLDER"
        raise InputError(message) from error
    if refused:
        more = f" (and {len(refused) - 1} more jobs refused)" if len(refused) > 1 else ""
        raise InputError(refused[0] + more)
    return list(dict.fromkeys(plan)), True in dry


def run_all(plan: list[RunSpec]) -> None:
    """Runs what is not finished yet, in the order given, and says where the records are.

    Raises:
        ImpossibleError: the only run cannot meet its size; one of several is left out with a line.
        InputError: disks or memory cannot hold it; or as ``bench.runs.run.execute``.
        RunError: as there; or, of several runs, some are not done.
    """
    launcher = launch.asked()
    check_lengths(plan)
    guards.check(plan, here=not launch.elsewhere(launcher))
    if len(plan) > 1:
        _note(plan)
    found = work(failed_last(plan)) if launcher is None else launch.start(plan, launcher)
    outcomes = [(done.spec, done.outcome) for done in found if done.outcome is not None]
    if len(outcomes) > 1:
        print(f"\n{sweep.comparison(outcomes)}\n")
    for folder in dict.fromkeys(spec.results / "runs" for spec in plan):
        print(f"records: {folder}; tables, figures and leaderboard: python -m bench.report")
    _require_all(found)


def list_all(plan: list[RunSpec]) -> None:
    """Lists the runs, which of them are finished, and what the others may take.

    Raises:
        RunError: damaged records.
    """
    found = sweep.jobs(plan)
    for number, job in enumerate(found, start=1):
        print(f"[{number}/{len(found)}] {job.line()}")
    print(guards.needs(plan).line())
    print(sweep.overview(found))


def _note(plan: list[RunSpec]) -> None:
    try:
        manifest.note(plan)
    except OSError as error:
        raise RunError(
            f"cannot write down the sweep: {error}; make room, or set results=FOLDER"
        ) from error


def _require_all(found: list[Done]) -> None:
    """Raises RunError if a run is not done, and not because its size cannot be met."""
    undone = [done for done in found if done.outcome is None and not done.skipped]
    if undone:
        raise RunError(
            f"{len(undone)} of {len(found)} runs are not done, the first one because: {undone[0].reason}. "
            f"All of them: python -m bench.status --runs {undone[0].spec.results / 'runs'}; the same command "
            "again tries them again"
        )


def _fail(code: int, error: Exception) -> int:
    """Prints the error as one line; returns the exit code."""
    message = str(error)
    if isinstance(error, HydraException):
        message = message.split("\nConfig search path")[0]
        if error.__cause__ is not None:
            message += f" {error.__cause__}"
        message += launch.hint(error)
    return fail(code, message)


if __name__ == "__main__":
    sys.exit(main())
