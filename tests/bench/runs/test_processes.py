"""Runs of a model with a dynamic RoPE, in another order and another process: the same records."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.records.files import read_records
from tests import forked

LENGTHS = ("512", "900")
# Times, and what tells of the occasion. All else has to be the same, the budget's last digit included.
OCCASION = {"time", "commit", "index_cached"}


def records(folder: Path) -> dict[str, Any]:
    """All records by run and question, without what differs from time to time."""
    found = {}
    for path in sorted(folder.rglob("records.jsonl")):
        for record in read_records(path):
            record |= record.pop("provenance")
            for folder_of_this_run in ("results", "cache_dir"):
                record["config"].pop(folder_of_this_run)
            kept = {k: v for k, v in record.items() if k not in OCCASION and "_ms" not in k}
            found[f"{path.parent.parent.name} {path.parent.name} {record['id']}"] = kept
    return found


def test_another_order_in_another_process_gives_the_same_records(
    bench: Callable[..., Any], tiny: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny, tmp_path / "dynamic")
    config = json.loads((model / "config.json").read_text())
    config["max_position_embeddings"] = 1100  # more than any of the runs has; beyond, it is refused
    config["rope_parameters"] = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0}
    (model / "config.json").write_text(json.dumps(config))
    asked = [
        "-m",
        *(f"model.path={model}", "model.device=cpu", "model.threads=1"),
        *("method=full,squeezed", "method.sparsity=0.5"),
        *("task.samples=2", "task.max_new_tokens=2"),
    ]
    there = tmp_path / "there"
    done = forked.run(
        *("bench", *asked, f"task.length={','.join(reversed(LENGTHS))}"),
        *(f"results={there / 'results'}", f"cache_dir={there / 'cache'}"),
    )
    assert done.returncode == 0, done.stderr
    here = tmp_path / "here"
    places = [f"results={here / 'results'}", f"cache_dir={here / 'cache'}"]
    assert bench(*asked, f"task.length={','.join(LENGTHS)}", *places).code == 0
    assert len(records(here)) == 2 * 2 * len(LENGTHS)
    first, second = records(here), records(there)
    assert first.keys() == second.keys()
    differing = {
        (run, field): (record.get(field), second[run].get(field))
        for run, record in first.items()
        for field in record.keys() | second[run].keys()
        if record.get(field) != second[run].get(field)
    }
    assert not differing
