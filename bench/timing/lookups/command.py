"""``squeezed-bench lookups``: settings are checked before anything heavy is imported."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config.errors import InputError
from bench.config.plain import Plain, setting

FEWEST_KEYS = 1000


@dataclass(frozen=True)
class Settings:
    """Settings of the command."""

    lengths: list[int] = setting([4096, 16384, 65536], "keys of a KV head")
    heads: list[str] = setting(
        ["9/3", "32/8"], "query heads and KV heads; the first are SmolLM2's, of 64 numbers each"
    )
    sizes: list[int] = setting([64, 128], "of a head, one for each of heads")
    threads: int = setting(1, "of the processor")
    seconds: float = setting(3.0, "for a line together; 5 rounds at least, 60 at most")
    results: Path = setting(Path("results"), "folder of results; the table goes below its tables")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 2 bad input."""
    return LOOKUPS.main(arguments)


def shapes(settings: Settings) -> list[tuple[int, int, int]]:
    """Query heads, KV heads and head size of each shape.

    Raises:
        InputError: heads that are none, or not as many sizes.
    """
    found = []
    for each in settings.heads:
        query, _, kv = each.partition("/")
        if not (query.isdecimal() and kv.isdecimal() and int(kv) and int(query) % int(kv) == 0):
            raise InputError(f"heads has {each!r}; expected query heads/KV heads, as 32/8")
        found.append((int(query), int(kv)))
    if len(found) != len(settings.sizes) or not found:
        raise InputError(f"sizes is {settings.sizes}; expected one size for each of heads")
    return [(*each, size) for each, size in zip(found, settings.sizes, strict=True)]


def _measure(settings: Settings) -> None:
    wanted = shapes(settings)
    for name, least in (("lengths", FEWEST_KEYS), ("sizes", 8)):
        values = getattr(settings, name)
        if not values or min(values) < least:
            raise InputError(f"{name} is {values}; expected numbers of at least {least}")
    if settings.threads < 1 or settings.seconds < 0:
        raise InputError("threads and seconds must be above 0")
    from bench.timing.lookups import measure  # late: it imports torch

    measure.run(wanted, settings)


LOOKUPS = Plain(
    "lookups",
    "bench.timing.lookups",
    Settings,
    _measure,
    """What finding keys costs on this processor: lookups of centroids, of codes as method=squeezed_best has
them, and of whole keys, and decode steps by two of them at a tenth of the bytes, all beside one dense step,
in turns. Random numbers in float32: the time does not depend on them. RESULTS/tables/lookups.csv.
Exit codes: 0 done, 1 a file could not be written, 2 bad input.""",
    ("lengths=4096 seconds=1", "heads=32/32 sizes=128 threads=2"),
    kept="the lines that are done are in the table",
)
