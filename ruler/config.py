"""The settings of ``python -m ruler``; conf/ruler/config.yaml explains each of them."""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from ruler.tasks import OVERRIDABLE, TASKS


@dataclass
class ParametersConf:
    """Parameters of tasks (``ruler.tasks``); null: the standard task's."""

    haystack: str | None = None
    source: str | None = None
    key_type: str | None = None
    value_type: str | None = None
    keys: int | None = None
    values: int | None = None
    queries: int | None = None
    chains: int | None = None
    hops: int | None = None
    common: int | None = None
    common_count: int | None = None
    other_count: int | None = None
    short_common_count: int | None = None
    short_other_count: int | None = None
    alpha: float | None = None
    word_length: int | None = None
    answers: int | None = None

    def given(self) -> dict[str, Any]:
        """The parameters that are not null."""
        return {name: value for name in OVERRIDABLE if (value := getattr(self, name)) is not None}


@dataclass
class RulerConfig(ParametersConf):
    """Types of the keys, so that a wrong one fails before anything is done."""

    task: str = MISSING
    length: int = MISSING
    samples: int = MISSING
    seed: int = MISSING
    tokenizer: str = MISSING
    out: str = MISSING
    format: str = "jsonl"
    questions_per_context: int = MISSING
    prompts: str = MISSING
    essays: str | None = None
    squad: str | None = None
    hotpotqa: str | None = None
    chat: bool = False
    compat: bool = False
    workers: int = 1
    overwrite: bool = False


def register() -> None:
    """Makes the schema known to Hydra, and the task names to its help text."""
    ConfigStore.instance().store(name="ruler_schema", node=RulerConfig)
    OmegaConf.register_new_resolver("ruler_tasks", lambda: ", ".join(TASKS), replace=True)
