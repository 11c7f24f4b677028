"""The settings of ``python -m ruler``; conf/ruler/config.yaml explains each of them."""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from ruler.tasks import TASKS


@dataclass
class RulerConfig:
    """Types of the keys, so that a wrong one fails before anything is done."""

    task: str = MISSING
    length: int = MISSING
    samples: int = MISSING
    seed: int = MISSING
    tokenizer: str = MISSING
    out: str = MISSING
    questions_per_context: int = MISSING
    prompts: str = MISSING
    essays: str | None = None
    overwrite: bool = False


def register() -> None:
    """Makes the schema known to Hydra, and the task names to its help text."""
    ConfigStore.instance().store(name="ruler_schema", node=RulerConfig)
    OmegaConf.register_new_resolver("ruler_tasks", lambda: ", ".join(TASKS), replace=True)
