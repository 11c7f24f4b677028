"""``squeezed-bench timing``: its settings, checked before anything heavy is imported."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config.errors import InputError
from bench.config.plain import Plain, setting

METHODS = ("full", "topk", "best")


@dataclass(frozen=True)
class Settings:
    """Settings of the command."""

    model: str = setting("mini", "name of a model, or the name to use for the one of path")
    path: str | None = setting(None, "folder, GGUF file or hub id of another model")
    dtype: str = setting("float32", "of the weights", ("float32", "bfloat16", "float16"))
    lengths: list[int] = setting([4096], "tokens of the fixed context")
    batches: list[int] = setting([1, 8, 32], "user inputs that are answered together")
    questions: list[int] = setting([25, 200], "tokens of a user input")
    threads: list[int] = setting([1, 2], "of the processor")
    methods: list[str] = setting(
        list(METHODS), "ours: full attention, squeezed topk, best", METHODS
    )
    kv_budget: float = setting(0.1, "share of the bytes that the methods read")
    seconds: float = setting(5.0, "for the steps of a line together; 5 rounds at least, 60 at most")
    contexts: int = setting(2, "how often each context is prefilled")
    memory: float = setting(
        8.0, "GB of keys and values that a cache may take; larger ones are left out"
    )
    results: Path = setting(Path("results"), "folder of results; the table goes below its timing")
    fresh: bool = setting(False, "measure again what is in the table")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 2 bad input."""
    return TIMING.main(arguments)


def _measure(settings: Settings) -> None:
    _check(settings)
    from bench.timing.waits import run  # late: it imports torch

    run.run(settings)


def _check(settings: Settings) -> None:
    from bench import models

    for name, least in (("lengths", 256), ("batches", 1), ("questions", 2), ("threads", 1)):
        values = getattr(settings, name)
        if not values or min(values) < least:
            raise InputError(f"{name} is {values}; expected numbers of at least {least}")
    if not settings.methods:
        raise InputError(f"methods is empty; expected some of {', '.join(METHODS)}")
    if not 0 < settings.kv_budget <= 1:
        raise InputError(f"kv_budget is {settings.kv_budget}; expected a share in (0, 1]")
    if settings.contexts < 1 or settings.seconds < 0 or settings.memory <= 0:
        raise InputError("contexts, seconds and memory must be above 0")
    try:
        models.check(settings.model, settings.path, settings.dtype)
    except (ValueError, FileNotFoundError) as error:
        raise InputError(str(error)) from error


TIMING = Plain(
    "timing",
    "bench.timing.waits",
    Settings,
    _measure,
    """How long a user waits: for a context (prefill and index), for the first token of an answer to a user
input, and for each token after it. Of transformers' own cache and of ours, by turns in one process; floor is
the same step with no context. Milliseconds on the clock and of the processor: RESULTS/timing/waits.csv. The
same command goes on where it was stopped. Time with nothing else running.
Exit codes: 0 done, 1 a file could not be written, 2 bad input.""",
    (
        "model=smollm2 lengths=2048,4096,8192",
        "model=mini lengths=1024 batches=1 threads=1 seconds=1",
    ),
    kept="what is measured is in the table",
)
