"""The settings of ``python -m probes``; conf/probes/config.yaml explains each of them."""

from dataclasses import dataclass, fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf


@dataclass
class OptionsConf:
    """Options of sets; null: the set's own. A set takes those that ``squeezed-bench data list`` names."""

    key_type: str | None = None
    near: int | None = None
    turns: int | None = None
    lead: int | None = None
    shots: int | None = None

    def given(self) -> dict[str, Any]:
        """The options that are not null."""
        names = [each.name for each in fields(OptionsConf)]
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass
class ProbesConfig(OptionsConf):
    """Types of the keys, so that a wrong one fails before anything is done."""

    set: str = MISSING
    length: int = MISSING
    samples: int = MISSING
    questions_per_context: int = MISSING
    seed: int = MISSING
    tokenizer: str = MISSING
    out: str = MISSING
    format: str = "jsonl"
    empty: bool = False
    chat: bool = False
    overwrite: bool = False


def register() -> None:
    """Makes the schema known to Hydra, and the names of the sets to its help text."""
    from probes.find import sets  # late: settings are parsed without the sets

    ConfigStore.instance().store(name="probes_schema", node=ProbesConfig)
    OmegaConf.register_new_resolver("probe_sets", lambda: ", ".join(sets()), replace=True)
