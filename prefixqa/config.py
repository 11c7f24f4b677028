"""The settings of ``python -m prefixqa``; conf/prefixqa/config.yaml explains each of them."""

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

BACKENDS = ("template", "factbook", "extractive", "openai")
MAKING = ("template", "factbook")  # those that make their documents and take no source
# Settings of documents that are read.
READING = (
    *("source", "min_tokens", "too_long", "near_duplicates"),
    *("published_after", "published_before", "licence"),
)


@dataclass
class ServiceConfig:
    """The service that the ``openai`` backend asks. The key itself is never a setting."""

    model: str = MISSING
    base_url: str | None = None
    key_env: str = MISSING
    concurrency: int = MISSING
    timeout: float = MISSING
    max_wait: float = MISSING
    retries: int = MISSING
    temperature: float = MISSING
    send_seed: bool = True
    answer_tokens: int | None = None
    extra_body: dict[str, Any] = field(default_factory=dict)
    structured: str = MISSING
    samples: int = MISSING
    agree: float = MISSING
    rounds: int = MISSING
    judge: str | None = None
    max_answer_words: int = MISSING
    price_in: float | None = None
    price_out: float | None = None
    max_cost: float | None = None
    cache: str | None = None
    batch: bool = False
    batch_poll: float = MISSING


@dataclass
class SplitConfig:
    """Shares of the documents; the rest is the test split."""

    train: float = 0.0
    validation: float = 0.0


@dataclass
class PrefixqaConfig:
    """Types of the keys, so that a wrong one fails before anything is done."""

    backend: str = MISSING
    documents: int | None = None
    questions: int = MISSING
    length: int = MISSING
    seed: int = MISSING
    tokenizer: str = MISSING
    out: str = MISSING
    source: str | None = None
    min_tokens: int = 500
    too_long: str = "cut"
    near_duplicates: float = 0.8
    published_after: str | None = None
    published_before: str | None = None
    licence: str = "unknown"
    limit: int | None = None
    dry_run: bool = False
    overwrite: bool = False
    split: SplitConfig = field(default_factory=SplitConfig)
    openai: ServiceConfig = field(default_factory=ServiceConfig)


def register() -> None:
    """Makes the schema known to Hydra."""
    ConfigStore.instance().store(name="prefixqa_schema", node=PrefixqaConfig)
