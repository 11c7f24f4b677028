"""``--help`` of every command says what it is for, what its settings are, and runs nothing."""

import runpy
import sys
import warnings
from pathlib import Path

import pytest

from tests.conftest import forget_task_schemas

HYDRA = {
    "bench": ("method.sparsity=0.9", "sparsity: null", "experiment: ", "Exit code 0"),
    "bench.kernels": ("query_tokens", "lengths: []", "Exit code 0"),
    "ruler": ("niah_single_1", "tokenizer: mini", "Exit code 0"),
    "longbench": ("qasper", "prompts: suite", "Exit code 0"),
    "prefixqa": ("backend: template", "Exit code 0"),
}
PLAIN = {
    "bench.report": ("--runs", "--study", "leaderboard"),
    "bench.report leaderboard": ("--merge", "--check", "--schema"),
    "bench.status": ("--check", "missing"),
    "bench.timing.kernels.run": ("--lengths",),
    "squeezed": ("inspect",),
    "squeezed inspect": ("--json", "folder"),
    "tests.fuzz": ("--inputs", "--seed"),
}


@pytest.mark.parametrize("command", [*HYDRA, *PLAIN])
def test_help_is_useful(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")
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
    for text in (HYDRA | PLAIN)[command]:
        assert text in said, text
    assert f"python -m {command.split()[0]}" in said
    if command in HYDRA:
        assert "Examples:" in said
        assert "powered by Hydra" not in said
    assert not any(tmp_path.rglob("*.jsonl"))
