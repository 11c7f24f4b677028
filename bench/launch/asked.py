"""Which launcher the command line asks for, taken from Hydra before it starts any job."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from bench.config.spec import RunSpec

CLUSTERS = ("SlurmLauncher", "RayAWSLauncher")  # their jobs run on other machines
LOCAL = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


@dataclass
class Asked:
    """A launcher that is not Hydra's own.

    Attributes:
        config: of the whole sweep, with the launcher in ``config.hydra.launcher``. loader: Hydra's.
        overrides: those of each run; a job is composed from those of its first run.
        together: runs on the same contexts are one job.
    """

    config: DictConfig
    loader: ConfigLoader
    overrides: dict[RunSpec, list[str]] = field(default_factory=dict)
    together: bool = True


_asked: list[
    Asked
] = []  # the one of the sweep that is composed now; Hydra makes the callback itself


class ComposeHere(Callback):
    """Lets Hydra go through the jobs of a sweep in this process, whatever launcher is asked for."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Called by Hydra before it makes the launcher."""
        _asked.clear()
        if config.hydra.launcher._target_ == LOCAL:
            return
        _asked.append(Asked(config.copy(), GlobalHydra.instance().config_loader()))
        OmegaConf.set_readonly(config.hydra, False)
        OmegaConf.set_struct(config.hydra, False)
        config.hydra.launcher = {"_target_": LOCAL}


def asked() -> Asked | None:
    """The launcher of the sweep that was composed last; None if its runs are for this process."""
    return _asked[-1] if _asked else None


def note(spec: RunSpec, together: bool) -> None:
    """Keeps what a job needs to be composed again; called while Hydra composes the run."""
    found = asked()
    if found is not None:
        found.overrides.setdefault(spec, list(HydraConfig.get().overrides.task))
        found.together = together


def elsewhere(found: Asked | None) -> bool:
    """Whether the jobs run on other machines than this one."""
    return found is not None and str(found.config.hydra.launcher._target_).endswith(CLUSTERS)


def forget() -> None:
    """Forgets the last sweep's launcher; a single run then has none."""
    _asked.clear()
