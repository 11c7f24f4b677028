"""Prepared fixed contexts, kept on disk, so that every method and sparsity shares one index."""

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import squeezed
from bench.config.errors import InputError
from bench.config.spec import IndexSpec, ModelSpec, digest
from bench.records.files import write_json
from bench.runs.index_cache import COMPLETE, IndexCache
from squeezed import clustering


@dataclass(frozen=True)
class Prepared:
    """A fixed context ready for questions.

    Attributes:
        prepare_ms: time of the dense prefill and the clustering, when they were done, and of what the method
            works out before any question (``bench.runs.answer.ready``); dense_ms: of the dense prefill alone.
        cached: the index came from the disk. method_ms: the method's part of ``prepare_ms``.
    """

    context: squeezed.FixedContext
    prepare_ms: float
    dense_ms: float
    cached: bool
    method_ms: float = 0.0


@dataclass
class Shelf:
    """The context that was used last, kept in memory for whoever asks for the same one next."""

    key: str | None = None
    prepared: Prepared | None = None

    def take(self, key: str, prepare: Callable[[], Prepared]) -> Prepared:
        """The context of a key; another one is let go before it is prepared."""
        if self.prepared is None or key != self.key:
            self.prepared = None
            self.prepared, self.key = prepare(), key
        return self.prepared


def prepare(
    model: Any,
    ids: torch.Tensor,
    spec: IndexSpec,
    model_spec: ModelSpec,
    cache_dir: Path | None,
    max_bytes: int | None = None,
) -> Prepared:
    """The context's index from the cache, or a new one that goes there.

    Several jobs that need one context make it once: the first makes it, the others wait. A damaged index
    is built again with a warning; a full disk costs the cache, not the run.

    Args:
        cache_dir: None: keep no index. max_bytes: of the whole cache; the least recently used go first.

    Raises:
        InputError: the engine cannot index this context in this way.
    """
    if cache_dir is None:
        return _build(model, ids, spec)
    cache = IndexCache(cache_dir, max_bytes)
    key = cache_key(ids, spec, model_spec)
    found = _load(cache, key, model)
    if found is not None:
        return found
    prepared: Prepared | None = None
    try:
        with cache.lock(key):
            found = _load(cache, key, model, warn=True)  # made while we waited?
            if found is not None:
                return found
            prepared = _build(model, ids, spec)
            _publish(cache, key, prepared)
    except OSError as error:
        tqdm.write(f"warning: the index is not kept in {cache.entry(key)}: {error}")
    return prepared or _build(model, ids, spec)


def cache_key(ids: torch.Tensor, spec: IndexSpec, model: ModelSpec) -> str:
    """Name of an index: a hash of everything that it depends on."""
    depends_on = {
        "model": [model.fingerprint, model.dtype, model.device.split(":")[0]],
        "ids": ids.flatten().tolist(),
        "index": dataclasses.asdict(spec),
        "clustering": clustering.VERSION,
    }
    return digest(depends_on)[:24]


def _build(model: Any, ids: torch.Tensor, spec: IndexSpec) -> Prepared:
    start = dense_end = time.perf_counter()

    def after_forward(*_: Any) -> None:
        # The prefill is the model's own forward passes; all that comes after the last is the index.
        nonlocal dense_end
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        dense_end = time.perf_counter()

    hook = model.base_model.register_forward_hook(after_forward)
    try:
        context = squeezed.prepare(model, ids, **dataclasses.asdict(spec))
    except ValueError as error:
        raise InputError(f"cannot index a context of {ids.numel()} tokens: {error}") from error
    finally:
        hook.remove()
    end = time.perf_counter()
    return Prepared(context, 1000 * (end - start), 1000 * (dense_end - start), False)


def _load(cache: IndexCache, key: str, model: Any, *, warn: bool = False) -> Prepared | None:
    if not cache.has(key):
        return None
    folder = cache.entry(key)
    try:
        context = squeezed.FixedContext.load(folder / "index", model=model)
        times = json.loads((folder / COMPLETE).read_text())
        prepared = Prepared(context, float(times["prepare_ms"]), float(times["dense_ms"]), True)
    except (
        ValueError,
        KeyError,
        TypeError,
        OSError,
    ) as error:  # the engine's errors are ValueErrors
        if warn:
            tqdm.write(f"warning: the index in {folder} is not usable and is built again: {error}")
        return None
    cache.used(key)
    return prepared


def _publish(cache: IndexCache, key: str, prepared: Prepared) -> None:
    def write(folder: Path) -> None:
        prepared.context.save(folder / "index")
        times = {"prepare_ms": prepared.prepare_ms, "dense_ms": prepared.dense_ms}
        write_json(folder / COMPLETE, times)

    context = prepared.context
    size = context.kv_bytes + context.index_bytes + context.state_bytes
    cache.publish(key, size, write)
