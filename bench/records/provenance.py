"""Where a result comes from: the code's commit, library versions, the model's fingerprint."""

import functools
import hashlib
import importlib.metadata
import json
import platform
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.config.spec import RunSpec
from rows.extras import DISTRIBUTION
from rows.gguf import kept
from rows.redact import redact

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "bench",
    "conf",
    "kernels",
    "longbench",
    "prefixqa",
    "probes",
    "rows",
    "ruler",
    "squeezed",
    "texts",
)
# Changes elsewhere (reports, settings, documentation) do not change an answer or its score.
DECIDING = (
    *("squeezed", "kernels", "rows", "ruler", "longbench", "prefixqa", "probes", "texts"),
    *("bench/config/method_settings.py", "bench/config/values.py"),
    *("bench/runs", "bench/tasks", "bench/models"),
)
DIRTY = "-dirty"
LIBRARIES = ("torch", "transformers", "numpy", "triton")
HASHED_BYTES = 1 << 20
# Beside the weights; other files (a card, a training log) may change without changing a result.
DECISIVE = {
    *("config.json", "generation_config.json", "model.safetensors.index.json"),
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt"),
    *("special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
}


def of(spec: RunSpec, rows: str) -> dict[str, Any]:
    """What each record of a run says of its origin, beside commit, versions and time; no secrets.

    Args:
        rows: fingerprint of the rows themselves, however they were made (``bench.runs.questions``).
    """
    found = commit()
    return {
        "commit": found.removesuffix(DIRTY),
        "dirty": found.endswith(DIRTY),
        "python": platform.python_version(),
        "device": device(spec.model.device),
        "seeds": {
            "task": spec.task.seed,
            "index": spec.index.seed,
            "method": dict(spec.method.parameters).get("seed"),
        },
        "model": spec.model.fingerprint,
        "data": spec.task.data,
        "rows": rows,
        "config": resolved(spec),
    }


def resolved(spec: RunSpec) -> dict[str, Any]:
    """Every setting of a run as it was used, redacted; paths inside the suite relative to it.

    Where a converted model is kept says nothing; its source is the checksum of the file that it is from.
    """
    settings = asdict(spec)
    if kept.origin(Path(spec.model.source)):
        settings["model"]["source"] = spec.model.fingerprint
    text = json.dumps(settings, default=str).replace(f"{ROOT}/", "")
    return redact(json.loads(text))


@functools.cache
def device(name: str) -> str:
    """The device that a name like ``cuda:0`` means on this machine."""
    import torch  # late: a report asks for the code only

    if torch.device(name).type == "cuda":
        return torch.cuda.get_device_name(name)
    return f"{platform.machine()} CPU"


@functools.cache
def commit() -> str:
    """Commit of the suite's code, ``-dirty`` if its sources differ; of an installed package its version
    (``v0.1.0``); ``unknown`` of a copy outside git.
    """
    if ROOT.parent.name == "squeezed_bench":  # where a wheel puts it
        return f"v{importlib.metadata.version(DISTRIBUTION)}"
    # A copy may lie inside some other project's repository.
    if _git("ls-files", "--error-unmatch", "bench/__init__.py") is None:
        return "unknown"
    head = _git("rev-parse", "--short=12", "HEAD")
    if head is None:
        return "unknown"
    changed = _git("status", "--porcelain", "--", *SOURCES)
    return f"{head}{DIRTY}" if changed else head


@functools.cache
def same_code(one: str, other: str) -> bool:
    """Whether two commits, as ``commit`` gives them, answer and score alike: no deciding file differs."""
    if one == other:
        return True
    if not all(re.fullmatch("[0-9a-f]{7,40}", each) for each in (one, other)):
        return False  # changes that were never committed, or no git at all
    return _git("diff", "--quiet", one, other, "--", *DECIDING) is not None


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@functools.cache
def versions() -> tuple[tuple[str, str], ...]:
    """Versions of the libraries that numbers depend on, as the imported library names itself: a package from
    PyPI may leave out which build it is (torch 2.13.0 is ``2.13.0+cu130`` there)."""
    found = []
    for name in LIBRARIES:
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        own = getattr(sys.modules.get(name), "__version__", None)
        found.append((name, str(own or installed)))
    return tuple(found)


@functools.cache
def fingerprint(folder: Path) -> str:
    """Fingerprint of a checkpoint folder: name and size of every file that decides its outputs (weights,
    configuration, tokenizer), and its first and last MiB.

    Reading a few MiB keeps the check of a finished run fast, and sees weights that were trained on. What
    leaves the ends of every file as they were, such as an adapter merged into layers in the middle, is seen
    once the model is loaded (``bench.runs.rows_check``); the checkpoint's own code is not. Reading more would
    give every run that there is another identity. Of a model converted from a GGUF file it is the file's own
    checksum.
    """
    if found := kept.origin(folder):
        return found.fingerprint
    content = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if not path.match("*.safetensors") and path.name not in DECISIVE:
            continue
        size = path.stat().st_size
        content.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            content.update(file.read(HASHED_BYTES))
            file.seek(max(0, size - HASHED_BYTES))
            content.update(file.read())
    return content.hexdigest()[:16]
