"""``python -m bench``: one run, or with ``-m`` or an experiment a sweep of runs.

Hydra composes every job first and each is checked at once; only when all of them can work does the
first one start. A sweep leaves out runs whose size cannot be met, with a line that says why, and ends
with one table. ``dry_run=true`` lists the runs. Exit codes: 0 done, 1 a run could not go on, 2 bad input.
"""

import os
import sys
from collections.abc import Callable

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from tqdm import tqdm

from bench import config, sweep, tasks
from bench.errors import ImpossibleError, InputError, RunError
from bench.run import Outcome, execute, finished
from bench.spec import RunSpec
from bench.validate import to_spec

LOCAL_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


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
        if HydraConfig.get().launcher._target_ == LOCAL_LAUNCHER or settings.dry_run:
            plan.append(spec)
        else:  # a cluster's launcher runs each job in a process of its own
            run_all([spec])

    config.register()
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
        RunError, InputError: as ``bench.run.execute``.
    """
    outcomes: list[tuple[RunSpec, Outcome]] = []
    for number, spec in enumerate(plan, start=1):
        place = f"[{number}/{len(plan)}] " if len(plan) > 1 else ""
        try:
            outcome = finished(spec) or execute(spec)
        except ImpossibleError as error:
            if len(plan) == 1:
                raise
            tqdm.write(f"{place}skipped: {error}")
            continue
        outcomes.append((spec, outcome))
        tqdm.write(outcome.line(place + spec.title))
    if len(outcomes) > 1:
        print(f"\n{sweep.comparison(outcomes)}\n")
    for folder in dict.fromkeys(spec.results / "runs" for spec in plan):
        print(f"records: {folder}; tables, figures and leaderboard: python -m bench.report")


def list_all(plan: list[RunSpec]) -> None:
    """Lists the runs, which of them are finished, and what the others may take.

    Raises:
        RunError: damaged records.
    """
    found = sweep.jobs(plan)
    for number, job in enumerate(found, start=1):
        print(f"[{number}/{len(found)}] {job.line()}")
    print(sweep.overview(found))


def _fail(code: int, error: Exception) -> int:
    """Prints the error as one line; returns the exit code."""
    message = str(error)
    if isinstance(error, HydraException):
        message = message.split("\nConfig search path")[0]
        if error.__cause__ is not None:
            message += f" {error.__cause__}"
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
