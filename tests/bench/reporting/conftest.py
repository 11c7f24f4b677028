"""Run folders with records worked out by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.config.spec import digest

FULL = {"name": "full"}
TASK = {"name": "ruler", "seed": 42, "prompts": "suite", "samples": 2, "questions_per_context": 2}
INDEX = {"window": 100, "seed": 0, "strategy": "bottom-up", "balance": None, "levels": [0.05]}


def squeezed(**more: Any) -> dict[str, Any]:
    """The identity of Squeezed Attention with ``topk`` and the engine's defaults."""
    known = {"name": "squeezed", "rule": "topk", "scope": "model", "reduce": "mean", "depth": 1}
    return {**known, "dense_layers": 0, "residual": False, **more}


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run under ``tmp_path/runs``; see ``run_writer``."""
    return run_writer(tmp_path)


def run_writer(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a run under ``tmp_path/runs``: two contexts with two questions each.

    ``scores``: of the four questions. ``budget``, ``lookup``: of every record. ``context_tokens`` is 1000.
    """

    def write(
        method: dict[str, Any],
        scores: tuple[float, ...] = (1, 1, 1, 0),
        *,
        budget: float = 1.0,
        lookup: float | None = 0.0,
        length: int = 1024,
        subtask: str = "niah_single_1",
        commit: str = "abc",
        predictions: tuple[str, ...] = ("a", "b", "c", "d"),
        index: dict[str, Any] | None = None,
        **task: Any,
    ) -> Path:
        model = {"name": "mini", "fingerprint": "f", "dtype": "float32", "device": "cpu"}
        settings = {**TASK, "subtask": subtask, "label": subtask, "length": length, **task}
        identity = {"model": model, "task": settings, "method": method}
        if method["name"] != "full":
            identity["index"] = {**INDEX, **(index or {})}
        folder = tmp_path / "runs" / digest(identity)[:8]
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"identity": identity}))
        lines = []
        for i, (score, prediction) in enumerate(zip(scores, predictions, strict=True)):
            record = {
                "id": f"q{i}",
                "context": "ab"[i // 2],
                "prediction": prediction,
                "score": score,
                "kv_budget": budget,
                "lookup_budget": lookup,
                "context_tokens": 1000,
                "prefill_ms": 4.0 if method["name"] == "full" else 3.0,
                "decode_ms_per_token": 2.0 if method["name"] == "full" else 1.0,
                "index_bytes": 1000,
                "prepare_ms": 50.0,
                "dense_ms": 30.0,
                "meta": {"prompts": settings["prompts"]},
                "commit": commit,
            }
            if lookup is None:
                del record["lookup_budget"]
            lines.append(json.dumps(record))
        (folder / "records.jsonl").write_text("\n".join(lines) + "\n")
        return folder

    return write
