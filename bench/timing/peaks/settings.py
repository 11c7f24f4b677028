"""Settings of ``squeezed-bench memory``."""

from dataclasses import dataclass
from pathlib import Path

from bench.config.plain import setting

STACK = "stack"  # in place of a model's name


@dataclass(frozen=True)
class Settings:
    """Settings of the command."""

    model: str = setting(
        "mini", f"name of a model, or the name to use for the one of path; {STACK}: random layers"
    )
    path: str | None = setting(None, "folder, GGUF file or hub id of another model")
    dtype: str = setting("float32", "of the weights", ("float32", "bfloat16", "float16"))
    layers: int = setting(8, f"of model={STACK}, each of Llama 3 8B's shape")
    lengths: list[int] = setting([4096], "tokens of the fixed context")
    threads: int = setting(1, "of the processor")
    results: Path = setting(Path("results"), "folder of results; the table goes below its timing")
    fresh: bool = setting(False, "measure again what is in the table")
