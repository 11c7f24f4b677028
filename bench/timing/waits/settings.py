"""Settings of ``squeezed-bench timing``."""

from dataclasses import dataclass
from pathlib import Path

from bench.config.plain import setting

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
    seconds: float = setting(
        10.0, "for the steps of a line together; 3 rounds at least, 60 at most"
    )
    contexts: int = setting(
        2,
        "how often each context is prefilled; 0: not timed, which saves most of the time at 32K tokens",
    )
    memory: float = setting(
        8.0, "GB of keys and values that a cache may take; larger ones are left out"
    )
    together: int = setting(
        6400, "tokens of all user inputs that are answered together; larger passes are left out"
    )
    results: Path = setting(Path("results"), "folder of results; the table goes below its timing")
    profile: bool = setting(False, "also where the time of each step goes, into timing/profile.csv")
    fresh: bool = setting(False, "measure again what is in the table")
