"""``squeezed-bench timing``: settings are checked before anything heavy is imported."""

from collections.abc import Sequence

from bench.config.errors import InputError
from bench.config.plain import Plain
from bench.timing.asked import check_model
from bench.timing.waits.settings import METHODS, Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 2 bad input."""
    return TIMING.main(arguments)


def _measure(settings: Settings) -> None:
    _check(settings)
    from bench.timing import memory
    from bench.timing.waits import run  # late: it imports torch

    if not memory.keep_freed():
        print("memory that is freed may go back to the system here, and steps that copy pay for it")
    run.run(settings)


def _check(settings: Settings) -> None:
    for name, least in (("lengths", 256), ("batches", 1), ("questions", 2), ("threads", 1)):
        values = getattr(settings, name)
        if not values or min(values) < least:
            raise InputError(f"{name} is {values}; expected numbers of at least {least}")
    if max(settings.questions) > min(settings.lengths):
        raise InputError(
            f"questions has {max(settings.questions)} tokens, and lengths {min(settings.lengths)}; user "
            "inputs are beginnings of the context, so ask for shorter ones"
        )
    least = min(settings.batches) * min(settings.questions)
    if settings.together < least:
        raise InputError(
            f"together is {settings.together}; the smallest pass that is asked for has {least} tokens"
        )
    if not settings.methods:
        raise InputError(f"methods is empty; expected some of {', '.join(METHODS)}")
    if not 0 < settings.kv_budget <= 1:
        raise InputError(f"kv_budget is {settings.kv_budget}; expected a share in (0, 1]")
    if settings.contexts < 0 or settings.seconds < 0 or settings.memory <= 0:
        raise InputError("contexts and seconds must be 0 or more, and memory above 0")
    check_model(settings.model, settings.path, settings.dtype)


TIMING = Plain(
    "timing",
    "bench.timing.waits",
    Settings,
    _measure,
    """How long a user waits: for a context (prefill and index), for the first token of an answer to a user
input, and for each token after it, on the processor. Of transformers' own cache and of ours, by turns in one
process; floor is the same step with no context. Milliseconds on the clock and of the processor:
RESULTS/timing/waits.csv. The same command goes on where it was stopped. Time with nothing else running.
Exit codes: 0 done, 1 a file could not be written, 2 bad input.""",
    (
        "model=smollm2 lengths=2048,4096,8192",
        "model=mini lengths=1024 batches=1 threads=1 seconds=1 kv_budget=0.2",
    ),
    kept="what is measured is in the table",
)
