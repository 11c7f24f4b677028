"""Schemas of the Hydra configuration: name, type and default of every setting.

Hydra fills them; ``bench.cli.validate`` turns them into a ``RunSpec`` once, at the edge.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class ModelConf:
    """``path``: a checkpoint folder, a GGUF file or a Hugging Face id; null for models known by name only.

    ``name``: ``mini``, one that ``squeezed-bench models fetch`` brings, or what results call the model;
    null: as the folder, the file or the id.
    ``dtype``: float32, bfloat16 or float16. ``device``: auto, cpu, cuda or cuda:N.
    ``spread``: put the layers on all GPUs that the process sees, for a model too big for one.
    ``threads``: CPU threads; null: as many as torch takes.
    ``trust_remote_code``: let the checkpoint's own Python code run; only for checkpoints that you trust.
    ``revision``: commit, tag or branch of a Hugging Face id; null: the newest.
    ``system``: text of a system turn before the prompt, where there is a chat template; null: none.
    ``chat_template_kwargs``: variables of the chat template, such as {enable_thinking: false}; null: none.
    """

    name: str | None = None
    path: str | None = None
    dtype: str = "float32"
    device: str = "auto"
    spread: bool = False
    threads: int | None = None
    trust_remote_code: bool = False
    revision: str | None = None
    system: str | None = None
    chat_template_kwargs: Any = None


@dataclass
class TaskConf:
    """What every task has; each extends it with settings of its own (``bench.tasks``).

    ``max_new_tokens``: tokens generated at most; null: what the task says for each row.
    ``closed_book``: a control: every question is asked without its context, under a name of its own.
    """

    name: str = "???"  # as OmegaConf writes that it must be given
    max_new_tokens: int | None = None
    closed_book: bool = False


@dataclass
class MethodConf:
    """A method's parameters. A single run refuses those that its method does not have; a sweep leaves them
    out there and says so once, so that one sweep fits all. null means the engine's default
    (``squeezed.methods`` says what each is).

    Attributes:
        sparsity: share of the fixed keys to leave out, in [0, 1); 0.9 if no size is given.
        kv_budget: the KV budget to meet, in (0, 1]; kv_tokens: the same in tokens; at most one of the three.
        dense_layers: first layers with full attention.
        question: sparse: the method processes the user input, too; dense: full attention does, and the method
            only the generated tokens.
        rule: threshold, topk or topp. scope: of the threshold: model, layer or head. top_p: a mass for topp.
        block: query tokens selected for together. reduce: over query heads: mean or max.
        depth: levels of clusters; levels: their shares of the keys, coarse to fine, in place of ``depth``.
        coarse_sparsity: what the coarser levels drop. coarse_score: of their clusters, mean (paper) or
        spread. residual: dropped clusters contribute by centroids.
        calibration_inputs: thresholds are calibrated on the first so many questions of each context, which
            are then not scored; 0: on the observation window (paper).
        calibration_pieces: thresholds are calibrated on so many pieces of the document, read again as user
            inputs; 0: as ``calibration_inputs`` says.
        sinks: first keys that are always kept. page: keys a page of Quest.
        observe, queries, kernel: of SnapKV. recent: share of recent keys of H2O. seed: of Random.
        own: parameters of a method that has others than these, by name: ``own: {pool: 5}`` in its YAML,
            ``method.own.pool=7`` on a command line.
    """

    name: str = "squeezed"
    sparsity: float | None = None
    kv_budget: float | None = None
    kv_tokens: int | None = None
    dense_layers: int | None = None
    question: str | None = None
    rule: str | None = None
    scope: str | None = None
    top_p: float | None = None
    block: int | None = None
    reduce: str | None = None
    depth: int = 1
    levels: list[float] | None = None
    coarse_sparsity: Any = None
    coarse_score: str | None = None
    residual: bool | None = None
    calibration_inputs: int = 0
    calibration_pieces: int = 0
    sinks: int | None = None
    page: int | None = None
    observe: str | None = None
    queries: int | None = None
    kernel: int | None = None
    recent: float | None = None
    seed: int | None = None
    own: dict[str, Any] = field(default_factory=dict)


@dataclass
class IndexConf:
    """``window``: last fixed positions, always attended. ``seed``: of the clustering. ``strategy``: bottom-up
    or top-down. ``balance``: largest cluster as a multiple of the mean; null: free."""

    window: int = 100
    seed: int = 0
    strategy: str = "bottom-up"
    balance: float | None = None


@dataclass
class Config:
    """One run.

    Attributes:
        results: folder of all results. cache_dir: of indexes; null: keep none.
        cache_max_gb: of all indexes kept, in 10^9 bytes; the least recently used go first. null: no cap.
        group_jobs: with a launcher, all runs on the same contexts are one job, so that each context is
            prefilled and clustered once; false: every run is a job of its own.
        batch_size: questions of a context answered together; changes times, not answers.
        backend: of the kernels: auto, or reference, cpu, triton.
        minutes: stop after so many; the same command goes on, as after Ctrl-C. null: no limit.
        dry_run: list the runs and their times as far as earlier runs tell, and run nothing.
    """

    model: ModelConf = field(default_factory=ModelConf)
    task: TaskConf = field(default_factory=TaskConf)
    method: MethodConf = field(default_factory=MethodConf)
    index: IndexConf = field(default_factory=IndexConf)
    results: str = "results"
    cache_dir: str | None = ".cache/squeezed"
    cache_max_gb: float | None = None
    group_jobs: bool = True
    batch_size: int = 1
    backend: str = "auto"
    minutes: float | None = None
    dry_run: bool = False


def register() -> None:
    """Makes the schemas known to Hydra."""
    from hydra.core.config_store import ConfigStore  # late: the schema itself needs no Hydra

    ConfigStore.instance().store(name="schema", node=Config)
