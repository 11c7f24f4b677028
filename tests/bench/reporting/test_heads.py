"""Diagnostics of a run, from the command line to the table and the heat map."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import pandas as pd
import pytest

from bench.cli import heads as command
from bench.cli import report, status
from bench.records.files import DIAGNOSTICS
from bench.reporting import heads as reporting
from tests.bench.reporting.conftest import FULL


def test_budget_by_head_is_the_mean_over_steps(tmp_path: Path, write_run: Any) -> None:
    run = write_run(FULL, length=2048)
    rows = [
        {"layer": 0, "head": 0, "phase": "input", "steps": 1, "kv_budget": 0.4},
        {"layer": 0, "head": 0, "phase": "token", "steps": 3, "kv_budget": 0.2},
    ]
    shares = {"recall": 0.5, "mass": 0.9, "oracle_mass": 1.0, "id": "q0"}
    pd.DataFrame([row | shares for row in rows]).to_csv(run / DIAGNOSTICS, index=False)
    (found,) = reporting.load(tmp_path / "runs").to_dict("records")
    assert found["kv_budget"] == pytest.approx(0.25)
    assert (found["place"], found["label"]) == ("mini-niah_single_1-2048", "full")


def test_the_command_looks_and_the_report_draws(
    bench: Callable[..., Any], tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # There is no record beside the diagnostics: the report is of them alone.
    results = tmp_path / "results"
    small = ["task.length=512", "task.samples=1", "task.max_new_tokens=2", "model.device=cpu"]
    where = [f"model.path={tiny}", f"results={results}", "cache_dir=null"]
    assert command.main(["-m", "method=squeezed_topk,streaming", *small, *where]) == 0
    capsys.readouterr()
    assert status.main([f"results={results}", "check=true"]) == 0  # no run was begun
    assert "no run yet" in capsys.readouterr().out
    assert report.main([f"results={results}"]) == 0
    table = pd.read_csv(results / "tables/tiny-niah_single_1-512-heads.csv")
    assert set(table["method"]) == {"squeezed topk, sparsity 0.9", "streaming, sparsity 0.9"}
    assert (table["mass"] <= table["oracle_mass"] + 1e-6).all()
    heads = pd.read_csv(results / "tables/tiny-niah_single_1-512-heads-each.csv")
    assert len(heads) == 2 * 2  # methods, layers of one head
    image = matplotlib.image.imread(results / "figures/tiny-niah_single_1-512-heads.png")
    assert image.std() > 0.05
