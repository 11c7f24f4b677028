"""Hands the groups of a sweep to Hydra's launcher, and collects what came of them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from hydra.core.plugins import Plugins
from hydra.types import HydraContext

from bench.config.errors import FailedError, InputError
from bench.config.spec import RunSpec
from bench.config.words import counted
from bench.launch.asked import Asked
from bench.launch.groups import GroupJob, grouped
from bench.launch.interrupts import only_here
from bench.records.failures import forget_attempt
from bench.runs.compiled import compiled
from bench.runs.run import finished
from bench.runs.work import Done


class Silent:
    """What Hydra calls around every job; nothing is to be done there."""

    def on_job_start(self, **_: Any) -> None:
        """Before a job."""

    def on_job_end(self, **_: Any) -> None:
        """After a job."""


@contextmanager
def _no_bars() -> Iterator[None]:
    """Processes that begin inside the block show no bars, which would overwrite each other."""
    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TQDM_DISABLE"]
        else:
            os.environ["TQDM_DISABLE"] = before


def start(plan: Sequence[RunSpec], asked: Asked) -> list[Done]:
    """What came of the runs, in their order; those that are finished are not started at all.

    Raises:
        InputError: the launcher's package is missing, or it refuses its settings.
        FailedError: a job was killed; what it had recorded stays.
    """
    outcomes = {spec: finished(spec) for spec in plan}
    before = [Done(spec, outcome) for spec, outcome in outcomes.items() if outcome is not None]
    rest = [spec for spec in plan if outcomes[spec] is None]
    groups = grouped(rest, asked.together)
    if not groups:
        return before
    job = GroupJob(tuple(map(tuple, groups)), len(rest), here=not asked.elsewhere)
    try:
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(config_loader=asked.loader, callbacks=cast(Any, Silent())),
            task_function=job,
            config=asked.config,
        )
    except (ImportError, RuntimeError) as error:
        target = asked.config.hydra.launcher._target_
        raise InputError(
            f"the launcher {target} cannot be used: {str(error).splitlines()[0]}; install the extra that "
            "has it (pyproject.toml)"
        ) from error
    print(f"{counted(len(rest), 'run')} in {counted(len(groups), 'job')}", flush=True)
    if job.here:
        compiled(rest)  # once, not in each of the processes
    try:
        with only_here(), _no_bars():
            returns = launcher.launch([asked.overrides[group[0]] for group in groups], 0)
            answers = [each.return_value for each in returns]
    except KeyboardInterrupt:
        for spec in rest:  # their processes are ended, which is no failure of theirs
            forget_attempt(spec.folder)
        raise
    except (
        Exception
    ) as error:  # each launcher has errors of its own: a killed worker, a refused job
        lost = [spec for spec in rest if finished(spec) is None]
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise FailedError(
            f"a job ended before its time, and {len(lost)} of {len(plan)} runs are not done "
            f"({type(error).__name__}: {reason}); run the same command again: it goes on from there"
        ) from error
    ends = [end for _, end in answers if end]
    # By folder: a run may have got a GPU of its own, and is then another spec of the same run.
    found = {done.spec.folder: done for done in before}
    found |= {done.spec.folder: done for dones, _ in answers for done in dones}
    ended = ends[0] if ends else "its job ended before it"
    return [found.get(spec.folder, Done(spec, None, ended)) for spec in plan]
