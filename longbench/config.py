"""The settings of ``python -m longbench``; conf/longbench/config.yaml explains each of them."""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from longbench.sources.source import V2_NAME
from longbench.tasks import TASKS


@dataclass
class LongBenchConfig:
    """Types of the keys, so that a wrong one fails before anything is done."""

    data: str = MISSING
    task: str = MISSING
    out: str = MISSING
    prompts: str = MISSING
    split: str = MISSING
    samples: int | None = None
    overwrite: bool = False


def register() -> None:
    """Makes the schema known to Hydra, and the task names to its help text."""
    ConfigStore.instance().store(name="longbench_schema", node=LongBenchConfig)
    names = ", ".join([*TASKS, V2_NAME])
    OmegaConf.register_new_resolver("longbench_tasks", lambda: names, replace=True)
