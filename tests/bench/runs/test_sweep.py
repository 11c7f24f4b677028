"""Sweeps: what cannot be met is left out, and a dry run tells what there is to do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.config.methods import TABLE

Bench = Callable[..., Any]
KEEPING = ["pqcache", "infllm", "vattention", "duo_attention", "expected_attention", "kvzip"]
KEEPING += ["clusterkv", "retroinfer", "multipole", "shadowkv", "magicpig"]
SIZES = ("method=quest", "method.kv_budget=0.1,0.9", "task.samples=1")


def test_a_size_that_cannot_be_met_is_left_out_with_a_line(bench: Bench, tmp_path: Path) -> None:
    # Of 512 tokens the window alone is a fifth.
    result = bench("-m", *SIZES)
    assert result.code == 0
    first, second, *_ = result.out.splitlines()
    assert first.startswith("[1/2] skipped: niah_single_1-512 quest-topk-kv_budget0.1: a budget")
    assert "ask for at least kv_budget=" in first
    assert second.startswith("[2/2] niah_single_1-512 quest-topk-kv_budget0.9")
    assert len(list(tmp_path.rglob("records.jsonl"))) == 1


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("methods", "size", "why"),
    [
        (sorted(set(TABLE) - {"full"}), "0.02", "does not cover the observation window"),
        (KEEPING, "0.2", "rows that are always kept"),  # the window is 100 of 512 tokens
    ],
)
def test_what_no_method_can_meet_is_told_without_a_model(
    bench: Bench, methods: list[str], size: str, why: str
) -> None:
    result = bench("-m", f"method={','.join(methods)}", f"method.kv_budget={size}")
    lines = result.out.splitlines()
    skipped = [line for line in lines if "skipped: " in line]
    assert len(skipped) == len(methods)
    assert all(why in line for line in skipped)
    assert "Traceback" not in result.out + result.err


def test_a_single_run_that_cannot_be_met_is_bad_input(bench: Bench) -> None:
    result = bench("method=quest", "method.kv_budget=0.1", "task.samples=1")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "ask for at least kv_budget=" in result.err


def test_a_sweep_ends_with_one_table(bench: Bench) -> None:
    result = bench("-m", "method=full,random", "task.samples=1", "task.length=512,768")
    assert result.code == 0
    table = [line for line in result.out.splitlines() if line.startswith("|")]
    assert "niah_single_1-512" in table[0]
    assert "niah_single_1-768" in table[0]
    assert [line.split("|")[2].strip() for line in table[2:]] == ["full", "random"]


def test_the_table_of_a_sweep_averages_no_two_settings(bench: Bench, tmp_path: Path) -> None:
    """Two seeds, data types or numbers of contexts were one row, with the mean of their scores."""
    result = bench("-m", "method=full", "task.samples=1", "task.seed=1,2", "task.chat=false")
    assert result.code == 0
    head, _, *rows = [line for line in result.out.splitlines() if line.startswith("|")]
    names = [name.strip() for name in head.split("|")]
    assert [row.split("|")[names.index("task.seed")].strip() for row in rows] == ["1", "2"]
    assert "task.chat" not in names
    result = bench("-m", "method=full", "task.samples=1,2", "model.dtype=float32,bfloat16")
    head, _, *rows = [line for line in result.out.splitlines() if line.startswith("|")]
    assert len(rows) == 4
    assert "model.dtype" in head
    assert "task.samples" in head
    result = bench("-m", "method=full", "task.samples=1", "model.system=null,Answer.")
    head, _, *rows = [line for line in result.out.splitlines() if line.startswith("|")]
    assert "model.system" in head
    assert len(rows) == 2


@pytest.mark.usefixtures("no_model")
def test_a_dry_run_runs_nothing(bench: Bench, tmp_path: Path) -> None:
    result = bench("-m", "method=full,random", "method.sparsity=0.5,0.9", "dry_run=true")
    assert result.code == 0
    lines = result.out.splitlines()
    assert len(lines) == 5
    assert "indexes of 2 contexts about" in lines[-2]
    assert lines[0].endswith("0 of 2 questions answered")
    assert lines[-1].startswith("3 runs: 0 finished, 3 to do; 3 runs without")
    assert not list(tmp_path.rglob("records.jsonl"))


def test_a_dry_run_knows_what_is_done_and_tells_the_time_of_the_rest(
    bench: Bench, tmp_path: Path
) -> None:
    assert bench("-m", *SIZES).code == 0
    (summary,) = tmp_path.rglob("summary.json")
    found = json.loads(summary.read_text())
    summary.write_text(json.dumps(found | {"seconds": 30.0}))
    result = bench("-m", *SIZES, "method=quest,full", "dry_run=true")
    lines = result.out.splitlines()
    assert "skipped before" in lines[0]
    assert lines[1].endswith("finished")
    assert lines[2].endswith("0 of 1 questions answered, about 30 s")
    assert lines[-1] == "3 runs: 1 finished, 1 to do, 1 skipped before; about 30 s"
    summary.write_text(
        json.dumps({"examples": 1, "seconds": 30.0})
    )  # as older versions, or by hand
    assert bench("-m", *SIZES, "method=quest,full", "dry_run=true").out.splitlines() == lines
    summary.write_text("{")
    assert "1 of 1 questions answered" in bench("-m", *SIZES, "dry_run=true").out


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("values", "left_out"),
    [
        ("batch_size=1,4", "batch_size=4"),
        ("backend=reference,cpu", "backend=cpu"),
        ("model.threads=1,2", "model.threads=2"),
    ],
)
def test_what_changes_times_only_makes_no_second_run(
    bench: Bench, values: str, left_out: str
) -> None:
    """The second point printed the result of the first as its own."""
    result = bench("-m", "method=full", values, "dry_run=true")
    assert result.out.splitlines()[-1].startswith("1 run:")
    (line,) = result.err.splitlines()
    assert line.startswith(f"{left_out} makes no run of its own")


def test_topk_has_nothing_to_calibrate(bench: Bench) -> None:
    inputs = ("task.subtask=niah_multikey_2", "task.questions_per_context=3", "dry_run=true")
    result = bench("-m", *inputs, "method=squeezed_topk,squeezed", "method.calibration_inputs=0,1")
    titles = [line.split()[2] for line in result.out.splitlines()[:-2]]
    assert titles == [
        "squeezed-topk-sparsity0.9",
        "squeezed-threshold-sparsity0.9",
        "squeezed-threshold-sparsity0.9-calibrated1",
    ]


@pytest.mark.usefixtures("no_model")
def test_levels_that_are_given_decide_the_depth(bench: Bench) -> None:
    """hsq90 with a depth of 3 ran two levels without a word."""
    result = bench("method=hsq90", "method.depth=3", "dry_run=true")
    assert result.code == 2
    assert (
        "squeezed with method.levels=[0.01, 0.05] has no method.depth; leave it out" in result.err
    )
    assert bench("method=hsq90", "method.depth=2", "dry_run=true").code == 0
    assert bench("method=hsq90", "method.levels=null", "method.depth=3", "dry_run=true").code == 0
    result = bench("-m", "method=hsq90,squeezed", "method.depth=1,3", "dry_run=true")
    assert result.code == 0
    assert "squeezed with method.levels=[0.01, 0.05] has no method.depth: ignored" in result.err


def test_one_level_has_no_coarse_sparsity(bench: Bench) -> None:
    sweep = ("method=squeezed_topk", "method.depth=1,2", "method.coarse_sparsity=0.5,0.7")
    result = bench("-m", *sweep, "dry_run=true")
    assert result.out.splitlines()[-1].startswith("3 runs")
