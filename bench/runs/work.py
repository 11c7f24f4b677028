"""Runs one after the other: what each came to, and which could not be done."""

from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from bench.config.errors import BusyError, FailedError, ImpossibleError, InputError
from bench.config.spec import RunSpec
from bench.records.failures import failed_before, release_memory
from bench.runs.run import Outcome, execute, finished


@dataclass(frozen=True)
class Done:
    """What came of one run. ``outcome``: None if it is not done, and then ``reason`` says why.

    ``skipped``: its size cannot be met, so there is nothing to do.
    """

    spec: RunSpec
    outcome: Outcome | None
    reason: str = ""
    skipped: bool = False


def failed_last(plan: Sequence[RunSpec]) -> list[RunSpec]:
    """The runs in order, but those that failed before at the end: they may take the process with them."""
    return sorted(plan, key=lambda spec: failed_before(spec.folder))


def work(plan: Sequence[RunSpec]) -> list[Done]:
    """Runs what is not finished yet, in the order given. With several, one that fails does not stop the rest.

    Raises:
        RunError: nothing more can be done: the disk is full, or the GPU lost.
        InputError, FailedError, BusyError: as ``bench.runs.run.execute``, of the only run.
    """
    if len(plan) == 1:
        return [Done(plan[0], _say(plan[0], finished(plan[0]) or execute(plan[0]), ""))]
    return [work_one(spec, f"[{number}/{len(plan)}] ") for number, spec in enumerate(plan, start=1)]


def work_one(spec: RunSpec, place: str) -> Done:
    """One of several runs: a failure of its own is told, not raised. ``place``: printed before its title.

    Raises:
        RunError: as ``work``.
    """
    try:
        return Done(spec, _say(spec, finished(spec) or execute(spec), place))
    except ImpossibleError as error:
        reason, skipped = str(error), True
    except (InputError, FailedError, BusyError) as error:
        reason, skipped = str(error), False
    # Outside the handlers: an error holds the frames it passed, and these hold tensors.
    release_memory()
    what = f"skipped: {reason}" if skipped else f"not done: {spec.title}: {reason}"
    tqdm.write(f"{place}{what}")
    return Done(spec, None, reason, skipped)


def _say(spec: RunSpec, outcome: Outcome, place: str) -> Outcome:
    tqdm.write(outcome.line(place + spec.title))
    return outcome
