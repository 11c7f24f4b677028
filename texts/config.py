"""The settings of ``python -m texts``; conf/texts/config.yaml explains each of them."""

from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from texts.catalogue import TEXTS


@dataclass
class TextsConfig:
    """Types of the keys, so that a wrong one fails before anything is done."""

    fetch: str | None = None


def register() -> None:
    """Makes the schema known to Hydra, and the names of the texts to its help text."""
    ConfigStore.instance().store(name="texts_schema", node=TextsConfig)
    OmegaConf.register_new_resolver("texts_names", lambda: ", ".join(TEXTS), replace=True)
