"""``squeezed-bench lookups``: settings are checked before anything heavy is imported."""

from collections.abc import Sequence

from bench.config.errors import InputError
from bench.config.plain import Plain
from bench.timing.lookups.settings import Settings, shapes

FEWEST_KEYS = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 2 bad input."""
    return LOOKUPS.main(arguments)


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
