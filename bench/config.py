"""Schemas of the Hydra configuration: name, type and default of every setting.

Hydra fills them; ``bench.validate`` turns them into a ``RunSpec`` once, at the edge.
"""

from dataclasses import dataclass, field

from hydra.core.config_store import ConfigStore


@dataclass
class ModelConf:
    """``path``: a checkpoint folder or a Hugging Face id; null for the embedded model only.

    ``name``: ``mini``, or what results call the model; null: as the folder or the id.
    ``dtype``: float32, bfloat16 or float16. ``device``: auto, cpu, cuda or cuda:N.
    ``threads``: CPU threads; null: as many as torch takes.
    """

    name: str | None = None
    path: str | None = None
    dtype: str = "float32"
    device: str = "auto"
    threads: int | None = None


@dataclass
class TaskConf:
    """Which rows are asked.

    Attributes:
        length: tokens of a whole row, answer included. samples: contexts.
        questions_per_context: questions asked about each of them.
        prompts: name of the prompt set. essays: text file of essays for the essay haystacks.
        max_new_tokens: tokens generated at most; null: what the task reserves.
    """

    name: str = "ruler"
    subtask: str = "niah_single_1"
    length: int = 4096
    samples: int = 20
    questions_per_context: int = 1
    seed: int = 42
    prompts: str = "suite"
    essays: str | None = None
    max_new_tokens: int | None = None


@dataclass
class MethodConf:
    """A method's parameters. A method ignores those it does not have, so that one sweep fits all.

    Attributes:
        sparsity: share of the fixed keys to leave out, in [0, 1); 0.9 if no size is given.
        kv_budget: the KV budget to meet, in (0, 1], kv_tokens: the same in tokens; at most one of
            the three. rule: threshold or topk. depth: levels of clusters.
        sinks: first keys that StreamingLLM keeps.
    """

    name: str = "squeezed"
    sparsity: float | None = None
    kv_budget: float | None = None
    kv_tokens: int | None = None
    rule: str = "threshold"
    depth: int = 1
    sinks: int = 4


@dataclass
class IndexConf:
    """``window``: last fixed positions, always attended. ``seed``: of the clustering."""

    window: int = 100
    seed: int = 0


@dataclass
class Config:
    """One run. ``results``: folder of all results. ``cache_dir``: of indexes; null: keep none."""

    model: ModelConf = field(default_factory=ModelConf)
    task: TaskConf = field(default_factory=TaskConf)
    method: MethodConf = field(default_factory=MethodConf)
    index: IndexConf = field(default_factory=IndexConf)
    results: str = "results"
    cache_dir: str | None = ".cache/squeezed"


def register() -> None:
    """Makes the schemas known to Hydra."""
    ConfigStore.instance().store(name="schema", node=Config)
