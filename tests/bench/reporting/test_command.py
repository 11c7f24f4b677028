"""The command of a record repeats its run: composed anew, it is the same run."""

import json
import shlex
from pathlib import Path

import pytest

from bench.cli.arguments import read
from bench.cli.run import compose
from bench.records.provenance import resolved
from bench.reporting.site.command import command

RUNS = (
    ["method=full", "task.length=1024"],
    ["method=squeezed", "method.sparsity=0.9", "method.depth=2", "method.coarse_sparsity=0.4"],
    ["method=squeezed_topk", "method.kv_budget=0.2", "method.levels=[0.02,0.1]", "index.window=50"],
    ["method=squeezed_best", "method.kv_budget=0.2", "method.own.bits=2"],
    ["method=squeezed_topp", "method.top_p=0.9"],
    ["method=squeezed_calibrated", "method.sparsity=0.8", "task.questions_per_context=8"],
    ["method=snapkv", "method.kv_budget=0.3", "method.question=dense", "index.seed=3"],
    ["method=pqcache", "method.kv_tokens=300"],
    ["task.subtask=niah_multikey_2", "task.samples=3", "task.seed=7", "task.max_new_tokens=5"],
    ["task.closed_book=true", "model.dtype=bfloat16"],
    ["task=prefixqa", "task.length=2048", "task.questions_per_context=4"],
    ["task=probes", "task.subtask=records_max", "task.questions_per_context=5", "task.empty=true"],
    ["task=probes", "task.subtask=kv", "task.near=3"],
    ["task=longbench", "task.subtask=qasper", "task.split=prefix", "task.samples=4"],
)


def spec_of(arguments: list[str], folder: Path):
    (spec,) = compose(read([*arguments, f"results={folder}"])).plan
    return spec


@pytest.mark.parametrize("given", RUNS, ids=" ".join)
def test_it_is_the_same_run(given: list[str], tmp_path: Path) -> None:
    first = spec_of(given, tmp_path)
    config = json.loads(json.dumps(resolved(first)))
    program, *words = shlex.split(command(config))
    assert program == "squeezed-bench"
    again = spec_of(words, tmp_path)
    assert again.identity() == first.identity()
    assert again.folder == first.folder
