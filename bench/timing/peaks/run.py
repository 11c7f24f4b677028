"""Measures each length in a process of its own, and keeps it in the table as soon as it is done."""

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

import squeezed
from bench.config.errors import InputError, RunError
from bench.models import load_model
from bench.records.failures import out_of_memory
from bench.records.provenance import commit
from bench.timing.kernels.machine import processor_name
from bench.timing.kernels.table import Table, named
from bench.timing.memory import give_back_freed
from bench.timing.peaks.settings import STACK, Settings
from squeezed.model.families import require_supported

KEYS = ("device", "commit", "model", "dtype", "layers", "length", "threads")
FIELDS = (
    *KEYS, "full_layers", "kv_mb", "peak_mb", "kept_mb", "disk_mb", "peak_share", "kept_share",
    "disk_share", "seconds", "torch",
)  # fmt: skip
# Of Llama 3 8B, but for its many words, which take no part in a context's memory.
SHAPE = {
    "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 1024,
}  # fmt: skip
WARM = 512  # tokens that are prepared before, so that the code of all that is used is there
STATUS = Path("/proc/self/status")
MB = 1e6


@dataclass(frozen=True)
class Peak:
    """What one context took. In bytes, beside the process with its model.

    Attributes:
        layers: that see all of the context. kv: of their keys and values.
        peak: while the context was prepared. kept: afterwards. disk: of the index without keys and values.
        seconds: of preparing, on the clock.
    """

    layers: int
    kv: int
    peak: int
    kept: int
    disk: int
    seconds: float


def run(settings: Settings) -> None:
    """Measures all lengths that are not in the table yet.

    Raises:
        InputError: a model that cannot be loaded. RunError: a process ended without an answer.
    """
    table = Table(settings.results / "timing" / "memory.csv", FIELDS, KEYS)
    key = {
        "device": processor_name(),
        "commit": commit(),
        "model": named(settings.model, settings.path),
        "dtype": settings.dtype,
        "threads": settings.threads,
        "layers": settings.layers if settings.model == STACK else "",
    }
    with tqdm(settings.lengths, unit="length") as progress:
        for length in progress:
            progress.set_description(f"{length:,} tokens")
            here = {**key, "length": length}
            if table.has(here) and not settings.fresh:
                continue
            found = _alone(settings, length, progress)
            table.replace([{**here, **_row(found)}])
            tqdm.write(
                f"{length:,} tokens, {found.layers} layers that see them all: keys and values "
                f"{found.kv / MB:,.0f} MB; at most {found.peak / found.kv:.2f} times that while they are "
                f"prepared, {found.kept / found.kv:.2f} times afterwards; index on the disk "
                f"{found.disk / found.kv:.3f} of it"
            )
    print(f"wrote {table.path}")


def _row(found: Peak) -> dict[str, object]:
    sizes = {"kv": found.kv, "peak": found.peak, "kept": found.kept, "disk": found.disk}
    shares = {name: size / found.kv for name, size in sizes.items() if name != "kv"}
    return {
        "full_layers": found.layers,
        **{f"{name}_mb": size / MB for name, size in sizes.items()},
        **{f"{name}_share": share for name, share in shares.items()},
        "seconds": found.seconds,
        "torch": torch.__version__,
    }


def _alone(settings: Settings, length: int, progress: Any) -> Peak:
    """One length in a process of its own: what was freed before stays with a process."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe(duplex=False)
    child = spawning.Process(target=_send, args=(theirs, _measured, settings, length))
    # A terminal sends Ctrl-C to both; the child never sees it, and is ended below.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        child.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    try:
        while not ours.poll(1):
            progress.refresh()  # it shows the time
        found: Peak | Exception = ours.recv()
    except EOFError as error:
        raise RunError(
            f"the process that prepared {length:,} tokens was ended from outside, as systems do when "
            "memory is short; ask for a smaller length"
        ) from error
    finally:
        child.kill()
        child.join()
    if isinstance(found, Exception):
        raise found
    return found


def _send(to: Any, measured: Callable[..., object], *given: object) -> None:
    """Sends what was measured, or the error to raise."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The bars of loading would take a lock of all processes, and leave it behind where this one is killed.
    tqdm.set_lock(threading.RLock())
    to.send(measured(*given))


def _end_with_parent() -> None:
    """A command that is killed does not leave hours of work and gigabytes behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _measured(settings: Settings, length: int) -> Peak | Exception:
    try:
        model = _model(settings)
        require_supported(model)
        return measure(model, length, settings.threads)
    except ValueError as error:
        return InputError(str(error))
    except Exception as error:
        if out_of_memory(error):
            return RunError(f"{length:,} tokens do not fit into memory; ask for a smaller length")
        if isinstance(error, OSError):
            return RunError(f"{length:,} tokens could not be measured: {error}")
        return error  # raised where the command can be told of it


def measure(model: Any, length: int, threads: int) -> Peak:
    """Prepares one context in this process."""
    torch.set_num_threads(threads)
    words = model.config.get_text_config().vocab_size
    ids = torch.randint(words, (length,), generator=torch.Generator().manual_seed(0))
    # Of files that are mapped, parts that nobody has read are not in memory.
    for weight in model.parameters():
        weight.detach().sum()
    squeezed.prepare(model, ids[:WARM])
    give_back_freed()
    # The peak so far, of loading the model, is forgotten.
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    start = time.perf_counter()
    context = squeezed.prepare(model, ids)
    seconds = time.perf_counter() - start
    peak = _resident("VmHWM")
    give_back_freed()
    kept = _resident("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        place = context.save(Path(folder) / "index", keys_values=False)
        disk = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    sizes = context.kv_bytes, peak - before, kept - before, disk
    return Peak(len(context.layers), *sizes, seconds)


def _model(settings: Settings) -> Any:
    if settings.model != STACK:
        model, _ = load_model(
            settings.model, path=settings.path, dtype=settings.dtype, device="cpu"
        )
        return model
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        **SHAPE,
        num_hidden_layers=settings.layers,
        max_position_embeddings=2 * max(settings.lengths),
        dtype=settings.dtype,
    )
    torch.manual_seed(0)
    dtype: torch.dtype = getattr(torch, settings.dtype)
    return LlamaForCausalLM._from_config(config, dtype=dtype).eval()


def _resident(name: str) -> int:
    """A number of bytes that the system tells of this process."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} does not tell {name}")
