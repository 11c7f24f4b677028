"""``squeezed-bench kernels``: the settings on the command line. Runs where Hydra is not installed."""

from collections.abc import Sequence

from bench.config.plain import Plain
from bench.timing.kernels.settings import Settings, check


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 a kernel was wrong, 2 bad input."""
    return KERNELS.main(arguments)


def _measure(settings: Settings) -> int:
    check(settings)
    from bench.timing.kernels.run import guarded  # late: with torch

    return guarded(settings)


KERNELS = Plain(
    "kernels",
    "bench.kernels",
    Settings,
    _measure,
    """Times the kernels against dense attention, after each has been checked against a float64 reference:
RESULTS/kernels/DEVICE.csv and figures beside it. What the CSV has already is not measured again
(fresh=true). An empty list or null is the default of the device (bench/timing/kernels/settings.py).
Exit code 0: done. 1: a kernel was wrong, or a file could not be written. 2: a setting is wrong.""",
    (
        "minutes=10",
        "lengths=[65536,262144] heads=[32/8] query_tokens=[1] sparsity=[0.9]",
        "device=cuda dtype=bfloat16",
    ),
    kept="what is measured is in the table, and the same command goes on from there",
)
