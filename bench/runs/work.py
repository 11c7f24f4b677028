"""Runs one after the other: what each came to, and which could not be done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import sleep

from tqdm import tqdm

from bench.config.errors import BusyError, FailedError, ImpossibleError, InputError
from bench.config.spec import RunSpec
from bench.records.failures import failed_before, release_memory
from bench.records.files import in_use
from bench.runs.questions import loaded_model
from bench.runs.run import Outcome, execute, finished

LOOK = 1.0  # seconds between two looks at a run that another process has


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

    A run that another process has is waited for, after all others.

    Raises:
        RunError: nothing more can be done: the disk is full, or the GPU lost.
        InputError, FailedError: as ``bench.runs.run.execute``, of the only run.
    """
    if len(plan) > 1:
        found = {done.spec: done for done in each_of(plan, 0, len(plan))}
        return [found[spec] for spec in plan]
    (spec,) = plan
    while True:
        try:
            return [Done(spec, _say(spec, finished(spec) or execute(spec), ""))]
        except BusyError:
            tqdm.write(f"another process works on {spec.title}; waiting")
            _wait(spec)


def each_of(plan: Sequence[RunSpec], before: int, total: int) -> Iterator[Done]:
    """What comes of several runs, as they are done; those that another process has come last.

    Args:
        before, total: of the whole sweep, for the numbers in front of the titles.

    Raises:
        RunError: as ``work``.
    """
    places = {spec: f"[{before + n}/{total}] " for n, spec in enumerate(plan, start=1)}
    busy = []
    for spec in plan:
        done = work_one(spec, places[spec])
        if done is None:
            tqdm.write(
                f"{places[spec]}another process works on {spec.title}; waiting for it at the end"
            )
            busy.append(spec)
        else:
            yield done
    for spec in busy:
        while (done := work_one(spec, places[spec])) is None:
            _wait(spec)
        yield done


def work_one(spec: RunSpec, place: str) -> Done | None:
    """One of several runs: a failure of its own is told, not raised. None: another process has it.

    Args:
        place: printed before its title.

    Raises:
        RunError: as ``work``.
    """
    try:
        return Done(spec, _say(spec, finished(spec) or execute(spec), place))
    except BusyError:
        return None
    except ImpossibleError as error:
        reason, skipped = str(error), True
    except (InputError, FailedError) as error:
        reason, skipped = str(error), False
    # Outside the handlers: an error holds the frames it passed, and these hold tensors. Where no model was
    # loaded yet there are none, and a sweep may leave out hundreds of runs.
    if loaded_model.cache_info().currsize:
        release_memory()
    what = f"skipped: {reason}" if skipped else f"not done: {spec.title}: {reason}"
    tqdm.write(f"{place}{what}")
    return Done(spec, None, reason, skipped)


def _wait(spec: RunSpec) -> None:
    """Until no process has the run; the system gives the lock back of one that was killed."""
    while in_use(spec.folder):
        sleep(LOOK)


def _say(spec: RunSpec, outcome: Outcome, place: str) -> Outcome:
    tqdm.write(outcome.line(place + spec.title))
    return outcome
