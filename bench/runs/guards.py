"""What a sweep will need, told before it starts, and a refusal when that cannot be had.

Estimates come from the models' configurations and the lengths that tasks state; what cannot be told (a
model whose configuration is not here, rows with lengths of their own) is left out of them, so they are
lower bounds, and a refusal is never a guess.
"""

import functools
import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.config.errors import InputError
from bench.config.spec import IndexSpec, ModelSpec, RunSpec
from bench.config.words import counted
from bench.models.shapes import ITEM_BYTES, Shape, shape_of
from bench.records.files import RECORDS
from bench.runs.index_cache import RESERVE, IndexCache

RECORD_BYTES = 3500  # of a record with short answers and its provenance; measured on RULER's tasks
POSITION_BYTES = 4


@dataclass(frozen=True)
class Needs:
    """Bytes that a list of runs needs.

    Attributes:
        index: of all indexes together; largest: of the largest one; 0 where nothing can be told.
        records: of the records still to write. memory: of weights and one context's keys and values, at
            most over the runs.
        contexts: that the indexes are of. unknown: runs whose indexes cannot be told.
    """

    index: int
    largest: int
    records: int
    memory: int
    contexts: int
    unknown: int

    def line(self) -> str:
        """One line for a dry run."""
        text = f"records about {_size(self.records)}, indexes of {counted(self.contexts, 'context')} about "
        text += f"{_size(self.index)}, memory at least {_size(self.memory)}"
        return text + (f"; {counted(self.unknown, 'run')} cannot be told" if self.unknown else "")


def needs(plan: Sequence[RunSpec]) -> Needs:
    """What the runs need, as far as it can be told beforehand."""
    indexes: dict[tuple[object, ...], tuple[int, int]] = {}
    memory = unknown = 0
    for spec in plan:
        shape, contexts = shape_of(spec.model), spec.task.context_count
        length = 0 if spec.task.closed_book else spec.task.length
        if shape is not None and length is not None:
            memory = max(memory, weights(spec.model) + length * shape.token_bytes)
        if spec.cache_dir is None:
            continue
        if shape is None or length is None or contexts is None:
            unknown += 1
            continue
        each = index_bytes(shape, length, spec.index)
        indexes[spec.model, spec.task, spec.index] = (contexts, each)
    return Needs(
        index=sum(count * each for count, each in indexes.values()),
        largest=max((each for _, each in indexes.values()), default=0),
        records=sum(map(_records, plan)),
        memory=memory,
        contexts=sum(count for count, _ in indexes.values()),
        unknown=unknown,
    )


def check(plan: Sequence[RunSpec], *, here: bool = True) -> Needs:
    """What the runs need, after a check that it is there.

    Args:
        here: the runs are for this machine, so that its memory counts as well as its disks.

    Raises:
        InputError: the disk, the cap of the cache or the memory cannot hold it; says what to set.
    """
    found = needs(plan)
    for results, cache_dir, cap in dict.fromkeys(
        (spec.results, spec.cache_dir, spec.cache_max_bytes) for spec in plan
    ):
        group = [spec for spec in plan if (spec.results, spec.cache_dir) == (results, cache_dir)]
        _check_disks(needs(group), results, cache_dir, cap)
    if here:
        for device, spread in dict.fromkeys((s.model.device, s.model.spread) for s in plan):
            group = [s for s in plan if (s.model.device, s.model.spread) == (device, spread)]
            _check_memory(needs(group).memory, device, spread)
    return found


def index_bytes(shape: Shape, length: int, index: IndexSpec) -> int:
    """Bytes of one context's index on disk: keys, values, centroids, positions, queries, statistics."""
    item, clustered = ITEM_BYTES[shape.dtype], max(0, length - index.window)
    rows = shape.layers * shape.kv_heads
    centroids = sum(int(share * clustered) for share in index.levels) * rows * shape.head * item
    positions = clustered * rows * POSITION_BYTES
    queries = min(index.window, length) * shape.layers * shape.query_heads * shape.head * item
    statistics = sum(_statistic_bytes(name, shape, clustered) for name in index.statistics)
    return length * shape.token_bytes + centroids + positions + queries + statistics


def _statistic_bytes(name: str, shape: Shape, clustered: int) -> int:
    """Bytes of a statistic of the prefill: of every key a number or a vector, or what a query head has."""
    from squeezed.model.statistics import STATISTICS  # here: the engine takes seconds to import

    statistic = STATISTICS[name]
    if statistic.by_key:
        rows = clustered * shape.layers * shape.kv_heads
        return rows * (shape.head * ITEM_BYTES[shape.dtype] if statistic.sizes else 4)
    return int(shape.layers * shape.query_heads * shape.head**statistic.sizes * 4)


@functools.cache
def weights(model: ModelSpec) -> int:
    """Bytes of the model's weights in memory at least, from its files if they are here; else 0."""
    folder = Path(model.source)
    if not folder.is_dir():
        return 0
    stored = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    # Weights stored in four bytes an item may be held in two.
    return stored if model.dtype == "float32" else stored // 2


def _check_disks(need: Needs, results: Path, cache_dir: Path | None, cap: int | None) -> None:
    if cap is not None and need.largest > cap:
        raise InputError(
            f"cache_max_gb is {cap / 1e9:g}, but one context's index takes about {_size(need.largest)}, so "
            "none could be kept; raise it, or set cache_dir=null to keep none"
        )
    free = shutil.disk_usage(_existing(results)).free
    if need.records > free:
        raise InputError(
            f"the records take about {_size(need.records)}, and {results} has {_size(free)} free; make room, "
            "or give another folder: results=FOLDER"
        )
    if cache_dir is None or not need.index:
        return
    total = need.index if cap is None else min(need.index, cap)
    place = _existing(cache_dir)
    # What the cache holds already is a part of the total, or can be evicted for it.
    room = shutil.disk_usage(place).free + IndexCache(cache_dir).size() - RESERVE
    if place.stat().st_dev == _existing(results).stat().st_dev:
        room -= need.records
    if total > room:
        raise InputError(
            f"the indexes of {need.contexts} contexts take about {_size(total)}, and there is room for "
            f"{_size(max(0, room))} in cache_dir={cache_dir}; give another folder{_cap_hint(need, room)}, or "
            "cache_dir=null to keep none"
        )


def _cap_hint(need: Needs, room: int) -> str:
    """A cap that would be accepted: it fits into the room, and holds one index; nothing if there is none."""
    gigabytes = math.floor(room / 1e6) / 1e3
    if gigabytes * 1e9 < max(need.largest, 1):
        return ""
    return (
        f", or a cap such as cache_max_gb={gigabytes:g} (contexts are then prepared more than once)"
    )


def _check_memory(need: int, device: str, spread: bool) -> None:
    if device.startswith("cuda"):
        import torch

        devices = range(torch.cuda.device_count()) if spread else [device]
        there = sum(torch.cuda.get_device_properties(each).total_memory for each in devices)
    else:
        there = host_memory()
    if need > there:
        raise InputError(
            f"weights and one context's keys and values take at least {_size(need)}, and {device} has "
            f"{_size(there)} of memory; use a shorter task.length, a smaller model.dtype, or a larger machine"
        )


def host_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or its control group's if that is less."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return there
    return min(there, int(limit)) if limit.isdigit() else there


def _records(spec: RunSpec) -> int:
    """Bytes of the records that a run has still to write."""
    path = spec.folder / RECORDS
    written = path.stat().st_size if path.exists() else 0
    return max(0, RECORD_BYTES * (spec.questions or 0) - written)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
