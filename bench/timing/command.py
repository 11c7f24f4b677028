"""``squeezed-bench clustering``: its settings, checked before anything heavy is imported."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config.errors import InputError
from bench.config.plain import Plain, setting

SETS = (
    *("mini-4k", "mini-8k", "mixture-819", "mixture-200", "mixture-64", "mixture-1"),
    "mixture-32k",
)


@dataclass(frozen=True)
class Settings:
    """Settings of the comparison."""

    results: Path = setting(Path("results"), "folder of results; the tables go below its tables")
    sets: list[str] = setting(list(SETS), "keys to cluster", SETS)
    seeds: int = setting(2, "runs that are averaged")
    threads: int = setting(1, "of both sides")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 2 bad input."""
    return CLUSTERING.main(arguments)


def _compare(settings: Settings) -> None:
    if not settings.sets:
        raise InputError(f"sets is empty; expected some of {', '.join(SETS)}")
    for name in ("seeds", "threads"):
        if getattr(settings, name) < 1:
            raise InputError(f"{name} is {getattr(settings, name)}; expected at least 1")
    for package in ("sklearn", "threadpoolctl"):  # before hours of work, not after
        if importlib.util.find_spec(package) is None:
            raise InputError("scikit-learn is not installed; pip install -e '.[dev]'")
    out = settings.results / "tables"
    out.mkdir(parents=True, exist_ok=True)
    from bench.timing import kmeans

    kmeans.compare(settings.sets, settings.seeds, settings.threads, out)


CLUSTERING = Plain(
    "clustering",
    "bench.clustering",
    Settings,
    _compare,
    """Compares our clustering with scikit-learn's, and top-down with bottom-up: RESULTS/tables/clustering-*.
Both sides cluster the same unit keys in float32 on the same number of threads.
Exit codes: 0 done, 2 bad input.""",
    ("sets=mini-4k,mixture-64 seeds=1",),
    kept="the sets that are done are in the tables",
)
