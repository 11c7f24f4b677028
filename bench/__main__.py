"""``python -m bench``: one run, or with ``-m`` or an experiment a sweep of runs.

Hydra composes every job first and each is checked at once; only when all of them can work does the
first one start. Exit codes: 0 done, 1 a run could not go on, 2 bad input.
"""

import os
import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from tqdm import tqdm

from bench import config, tasks
from bench.errors import InputError, RunError
from bench.run import execute, finished
from bench.spec import RunSpec
from bench.validate import to_spec

LOCAL_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def main() -> int:
    """Runs the command line; returns the exit code."""
    # Hydra then raises its errors instead of printing a page and leaving with exit code 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        run_all(compose())
    except RunError as error:
        return _fail(1, error)
    except (InputError, HydraException, OmegaConfBaseException) as error:
        return _fail(2, error)
    return 0


def compose() -> list[RunSpec]:
    """The runs that the command line asks for, each of them checked.

    Raises:
        InputError: bad input in at least one job.
    """
    plan: list[RunSpec] = []
    refused: list[str] = []

    def job(settings: DictConfig) -> None:
        try:
            spec = to_spec(OmegaConf.to_object(settings))  # type: ignore[arg-type]
        except (ValueError, FileNotFoundError) as error:
            refused.append(str(error))  # Hydra would print lines of its own about an exception
            return
        if HydraConfig.get().launcher._target_ == LOCAL_LAUNCHER:
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
    return list(dict.fromkeys(plan))


def run_all(plan: list[RunSpec]) -> None:
    """Runs what is not finished yet, in the order given, and says where the records are.

    Raises:
        RunError, InputError: as ``bench.run.execute``.
    """
    for number, spec in enumerate(plan, start=1):
        place = f"[{number}/{len(plan)}] " if len(plan) > 1 else ""
        if (outcome := finished(spec)) is None:
            outcome = execute(spec)
        tqdm.write(outcome.line(place + spec.title))
    for folder in dict.fromkeys(spec.results / "runs" for spec in plan):
        print(f"records: {folder}; tables, figures and leaderboard: python -m bench.report")


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
