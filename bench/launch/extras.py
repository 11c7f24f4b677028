"""Which extra of this package a launcher needs that Hydra does not find."""

from hydra.errors import HydraException, MissingConfigException

EXTRAS = {"joblib": "processes", "submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}
GROUP = "hydra/launcher/"


def hint(error: HydraException) -> str:
    """What to install, where the error is that a launcher's package is absent; else nothing."""
    missing = str(getattr(error, "missing_cfg_file", None) or "")
    if not isinstance(error, MissingConfigException) or GROUP not in missing:
        return ""
    extra = EXTRAS.get(missing.rpartition(GROUP)[2].removesuffix(".yaml"))
    return f" It comes with an extra of this project: pip install -e '.[{extra}]'" if extra else ""
