"""``--help`` of every command says what it is for, what its settings are, and runs nothing."""

import runpy
import sys
import warnings
from pathlib import Path

import pytest

from tests.conftest import forget_task_schemas

HELP = {
    "bench": ("method.sparsity=0.9", "sparsity: null", "experiment: ", "Exit code 0"),
    "ruler": ("niah_single_1", "tokenizer: mini", "Exit code 0"),
    "longbench": ("qasper", "prompts: suite", "Exit code 0"),
    "prefixqa": ("backend: template", "Exit code 0"),
    "probes": ("set: kv", "kv, ", "Exit code 0"),
    "texts": ("fetch: null", "anarchism", "Exit code 0"),
    "bench.kernels": ("query_tokens", "lengths=[]", "Exit code 0"),
    "bench.report": ("results=results", "study=null", "budgets", "leaderboard"),
    "bench.report leaderboard": ("merge=[]", "check=null", "schema=false"),
    "bench.status": ("check=false", "missing", "Exit codes"),
    "bench.lm_eval": ("context_field=NAME", "records=FILE.jsonl", "Exit codes"),
    "bench.skew": ("diagnostics", "method.sparsity=0.9"),
    "bench.recommend": ("tolerance=5", "documents=null", "Exit codes"),
    "bench.clustering": ("sets=[mini-4k", "Exit codes"),
    "bench.prefixqa_judge": ("model=VALUE", "base_url=null"),
    "squeezed": ("inspect",),
    "squeezed inspect": ("json=false", "FOLDER"),
    "tests.fuzz": ("--inputs", "--seed"),
}
EXAMPLES = (
    "bench",
    "bench.kernels",
    "bench.report",
    "bench.status",
    "bench.recommend",
    "ruler",
    "longbench",
    "prefixqa",
    "probes",
    "texts",
)


@pytest.mark.parametrize("command", HELP)
def test_help_is_useful(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    module, *more = command.split()
    monkeypatch.setattr(sys, "argv", [module, *more, "--help"])
    forget_task_schemas()
    code: object = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the module was imported before
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code or 0
    assert code == 0
    said = capfd.readouterr().out
    for text in HELP[command]:
        assert text in said, text
    assert f"python -m {command.split()[0]}" in said
    if command in EXAMPLES:
        assert "Examples:" in said
    assert not any(tmp_path.rglob("*.jsonl"))
