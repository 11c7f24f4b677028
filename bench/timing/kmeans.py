"""Our clustering against scikit-learn's, and top-down against bottom-up.

Both sides cluster the same unit keys in float32 on the same number of threads. Inertia is measured in one way
for all: the sum over the keys of the squared distance of the unit key to the unit mean of its cluster. Time
is processor time, which other processes on the machine disturb little; with one thread it is the time
that a free machine takes. Keys are those that the embedded model computes for RULER contexts, all layers and
heads, and synthetic mixtures of Gaussians.
"""

import functools
import importlib.metadata
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from torch.nn import functional

from bench.reporting.output import as_markdown, write_text
from squeezed.clustering import STRATEGIES, Hierarchy, cluster_levels, spherical_kmeans
from squeezed.clustering.kmeans import MAX_ITERATIONS, TOLERANCE
from squeezed.model import attention
from squeezed.model.prefill import prefill
from squeezed.model.states import LayerStates

WINDOW = 100  # last positions of a context, which the engine does not cluster
FINE = 0.05  # clusters as a share of the keys
DEPTHS = ((0.01, 0.05), (0.002, 0.01, 0.05))
# Name, most iterations, and when to stop: ours at a share of keys that changed cluster, scikit-learn at a
# shift of the centroids relative to the variance.
BUDGETS = (
    (f"{MAX_ITERATIONS} iterations", MAX_ITERATIONS, TOLERANCE, 1e-4),  # what an index is made with
    ("20 iterations", 20, 1e-3, 1e-4),
    ("converged", 300, 0.0, 0.0),
)
RULER_TASK, RULER_SEED = "niah_multikey_2", 1


@dataclass(frozen=True)
class KeySet:
    """Keys to cluster: ``layers`` of unit keys, each float32 ``[H, M, D]``."""

    name: str
    layers: tuple[torch.Tensor, ...]

    @property
    def shape(self) -> dict[str, int]:
        """Columns that describe the set; heads are those of all layers."""
        _, keys, size = self.layers[0].shape
        return {"heads": sum(len(layer) for layer in self.layers), "keys": keys, "size": size}


def mini_keys(length: int) -> KeySet:
    """Clustered keys of every layer of the embedded model over one RULER context."""
    # Late: the other sets do not need a model.
    from bench.models import load_model
    from ruler.generate import generate

    model, tokenizer = load_model("mini", device="cpu")
    attention.switch(model)
    row = next(generate(RULER_TASK, tokenizer, length, samples=1, seed=RULER_SEED))
    ids = torch.tensor(tokenizer(row.context)["input_ids"])
    states = [s for s in prefill(model, ids, WINDOW) if isinstance(s, LayerStates)]
    layers = tuple(functional.normalize(each.keys[:, :-WINDOW].float(), dim=-1) for each in states)
    return KeySet(f"mini, {RULER_TASK}, {length} tokens", layers)


def mixture(count: int, size: int, components: int, noise: float) -> KeySet:
    """Unit keys around ``components`` random directions; ``noise`` relative to the distance of those."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(components, size, generator=generator)
    own = torch.randint(0, components, (count,), generator=generator)
    keys = centres[own] + noise * torch.randn(count, size, generator=generator)
    name = f"mixture of {components} Gaussians, noise {noise:g}"
    return KeySet(name, (functional.normalize(keys, dim=-1)[None],))


SETS: dict[str, Callable[[], KeySet]] = {
    "mini-4k": lambda: mini_keys(4096),
    "mini-8k": lambda: mini_keys(8192),
    "mixture-819": lambda: mixture(16384, 64, 819, 0.3),
    "mixture-200": lambda: mixture(16384, 64, 200, 0.5),
    "mixture-64": lambda: mixture(16384, 64, 64, 0.5),
    "mixture-1": lambda: mixture(16384, 64, 1, 100.0),
    "mixture-32k": lambda: mixture(32768, 64, 1000, 0.5),
}
# Long enough that top-down pays; flat clustering would say nothing new and take minutes.
STRATEGIES_ONLY = ("mixture-32k",)


def inertia(keys: torch.Tensor, labels: torch.Tensor) -> float:
    """Squared distances of unit keys ``[M, D]`` to the unit mean of their cluster, summed in float64."""
    keys = keys.double()
    sums = keys.new_zeros(int(labels.max()) + 1, keys.shape[1]).index_add_(0, labels, keys)
    return (keys - functional.normalize(sums, dim=-1)[labels]).square().sum().item()


def partition_inertia(keys: torch.Tensor, order: torch.Tensor, counts: torch.Tensor) -> float:
    """Inertia of all heads ``[H, M, D]``, each with its keys in ``order`` and ``counts`` in each cluster."""
    total = 0.0
    for head, rows, sizes in zip(keys, order, counts, strict=True):
        total += inertia(head[rows], torch.arange(len(sizes)).repeat_interleave(sizes))
    return total


def against_sklearn(data: KeySet, seeds: int) -> Iterator[dict[str, object]]:
    """One row per budget and solver; scikit-learn's comes first."""
    clusters = round(FINE * data.shape["keys"])
    for budget, iterations, tolerance, shift in BUDGETS:
        ours = functools.partial(_ours, data, clusters, iterations, tolerance)
        theirs = functools.partial(_sklearn, data, clusters, iterations, shift)
        base: tuple[float, float] | None = None
        for solver, solve in (("scikit-learn KMeans", theirs), ("squeezed", ours)):
            fit, seconds = _mean([solve(seed) for seed in range(seeds)])
            base = base or (fit, seconds)
            yield {
                **{"data": data.name, **data.shape, "clusters": clusters, "budget": budget},
                **{"solver": solver, "seeds": seeds, "inertia": fit, "seconds": seconds},
                "inertia / scikit-learn": fit / base[0],
                "time / scikit-learn": seconds / base[1],
            }


def of_strategies(data: KeySet, seeds: int) -> Iterator[dict[str, object]]:
    """One row per depth, strategy and level; bottom-up comes first."""
    for levels in DEPTHS:
        base: list[float] = []
        for strategy in STRATEGIES:
            runs = [_hierarchies(data, levels, strategy, seed) for seed in range(seeds)]
            *fits, seconds = _mean(runs)
            base = base or [*fits, seconds]
            for number, share in enumerate(levels):
                yield {
                    **{"data": data.name, **data.shape, "levels": "/".join(map(str, levels))},
                    **{"strategy": strategy, "seeds": seeds, "level": share},
                    **{"inertia": fits[number], "seconds (all levels)": seconds},
                    "inertia / bottom-up": fits[number] / base[number],
                    "time / bottom-up": seconds / base[-1],
                }


def _ours(
    data: KeySet, clusters: int, iterations: int, tolerance: float, seed: int
) -> tuple[float, float]:
    """Inertia and processor seconds over all layers."""
    fit = seconds = 0.0
    for keys in data.layers:
        start = time.process_time()
        found = spherical_kmeans(
            keys, clusters, seed, max_iterations=iterations, tolerance=tolerance
        )
        seconds += time.process_time() - start
        fit += partition_inertia(keys, found.order, found.counts)
    return fit, seconds


def _sklearn(
    data: KeySet, clusters: int, iterations: int, shift: float, seed: int
) -> tuple[float, float]:
    """The same of scikit-learn, head by head; its default seeding is greedy k-means++."""
    from sklearn.cluster import KMeans

    fit = seconds = 0.0
    for keys in (head for layer in data.layers for head in layer):
        solver = KMeans(
            clusters, n_init=1, max_iter=iterations, tol=shift, random_state=seed, algorithm="lloyd"
        )
        array = keys.numpy()
        start = time.process_time()
        solver.fit(array)
        seconds += time.process_time() - start
        fit += inertia(keys, torch.from_numpy(solver.labels_).long())
    return fit, seconds


def _hierarchies(
    data: KeySet, levels: tuple[float, ...], strategy: str, seed: int
) -> tuple[float, ...]:
    """Inertia of every level, coarse to fine, and the seconds for all of them."""
    fits, seconds = [0.0] * len(levels), 0.0
    for keys in data.layers:
        start = time.process_time()
        found = cluster_levels(keys, levels, seed, strategy=strategy)
        seconds += time.process_time() - start
        for number in range(len(levels)):
            fits[number] += partition_inertia(keys, found.order, key_counts(found, number))
    return (*fits, seconds)


def key_counts(hierarchy: Hierarchy, level: int) -> torch.Tensor:
    """Keys in each cluster of a level, ``[H, C]``."""
    offsets = hierarchy.offsets[level].long()
    for finer in hierarchy.offsets[level + 1 :]:
        offsets = finer.long().gather(1, offsets)
    return offsets.diff(dim=1)


def _mean(runs: list[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(sum(each) / len(runs) for each in zip(*runs, strict=True))


def write(table: pd.DataFrame, folder: Path, name: str, note: str) -> list[Path]:
    """``NAME.csv`` and ``NAME.md``, each replaced as a whole; ``note`` stands under the Markdown table."""
    texts = {
        "csv": table.to_csv(index=False, float_format="%.6g"),
        "md": f"{as_markdown(table)}\n\n{note}\n",
    }
    return [write_text(folder / f"{name}.{kind}", text) for kind, text in texts.items()]


def compare(sets: list[str], seeds: int, threads: int, out: Path) -> None:
    """Measures the sets and writes the tables."""
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        _measure(sets, seeds, threads, out)


def _measure(sets: list[str], seeds: int, threads: int, out: Path) -> None:
    """Measures set by set and writes the tables anew after each, so that nothing measured is lost."""
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in ("torch", "scikit-learn"))
    note = f"Processor seconds on {threads} thread(s), mean of {seeds} seeds; {versions}."
    flat: list[dict[str, object]] = []
    nested: list[dict[str, object]] = []
    spherical_kmeans(torch.randn(1, 256, 8), 8)  # the first call of anything pays for loading it
    for name in sets:
        data = SETS[name]()
        for row in () if name in STRATEGIES_ONLY else against_sklearn(data, seeds):
            flat.append(row)
            print({key: row[key] for key in ("data", "budget", "solver", "inertia", "seconds")})
        nested += of_strategies(data, seeds)
        written = write(pd.DataFrame(flat), out, "clustering-sklearn", note) if flat else []
        written += write(pd.DataFrame(nested), out, "clustering-strategies", note)
    for path in written:
        print(f"wrote {path}")
