"""Which extra of this package a launcher needs that Hydra does not find."""

import re

from rows.extras import DISTRIBUTION

EXTRAS = {"joblib": "processes", "submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
LAUNCHER = re.compile(r"hydra/launcher/(\w+)")


def hint(error: Exception) -> str:
    """What to install, where the error is that a launcher's package is absent; else nothing."""
    named = (EXTRAS.get(name) for name in LAUNCHER.findall(str(error)))
    extra = next(filter(None, named), None)
    return (
        f" It comes with an extra of this package: pip install '{DISTRIBUTION}[{extra}]'"
        if extra
        else ""
    )
