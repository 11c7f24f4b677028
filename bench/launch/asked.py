"""Which launcher the command line asks for."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig

from rows.compose import Composition

if TYPE_CHECKING:
    from bench.config.spec import RunSpec

CLUSTERS = ("SlurmLauncher", "RayAWSLauncher")  # their jobs run on other machines
IN_THIS_PROCESS = "basic"  # Hydra's own, which would run one job after the other


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
    overrides: "dict[RunSpec, list[str]]" = field(default_factory=dict)
    together: bool = True

    @classmethod
    def of(cls, composed: Composition) -> "Asked | None":
        """The launcher of a sweep; None: its runs are for this process, or it is no sweep."""
        chosen = composed.base.hydra.runtime.choices.get("hydra/launcher")
        if not composed.multirun or chosen == IN_THIS_PROCESS:
            return None
        return cls(composed.base, composed.loader)

    def note(self, spec: "RunSpec", overrides: tuple[str, ...], together: bool) -> None:
        """Keeps what a job needs to be composed again, without Hydra's own settings."""
        own = [each for each in overrides if not each.lstrip("+~").startswith(("hydra.", "hydra/"))]
        self.overrides.setdefault(spec, own)
        self.together = together

    @property
    def elsewhere(self) -> bool:
        """Whether the jobs run on other machines than this one."""
        return str(self.config.hydra.launcher._target_).endswith(CLUSTERS)
