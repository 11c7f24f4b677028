"""``squeezed-bench``: its commands, and what a wrong setting and a help page cost."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main as command

HEAVY = (
    "torch",
    "transformers",
    "pandas",
    "matplotlib",
    "scipy",
    "pyarrow",
    "numpy",
    "wonderwords",
)
REFUSED = [
    "statsu",
    "method.sparsty=0.9",
    "+method.sparsty=0.9",
    "method.sparsity=2",
    "method.sparsity=much",
    "method=foo",
    "task=foo",
    "model=foo",
    "experiment=foo",
    "task.subtask=foo",
    "task.length=1,2",
    "model.path=/nowhere",
    "model.device=toaster",
    "backend=foo",
    "method=full method.depth=3",
    "method=streaming method.rule=nonsense",
    "-m experiment=budgets method.kv_budget=0.1,2",
    "status results=/nowhere",
    "status state=foo",
    "report results=/nowhere",
    "report study=foo",
    "report leaderboard check=/nowhere.csv",
    "kernels lenghts=[1]",
    "kernels lengths=[1]",
    "clustering sets=foo",
    "judge results=/nowhere model=x",
    "inspect /nowhere",
    "skew method.sparsty=0.9",
    "ruler lenght=1",
    "longbench data",
    "prefixqa zzz=1",
]
HELP = ["--help", "--version", *(f"{name} --help" for name in command.COMMANDS)]
PROGRAM = """
import sys
from bench.cli.main import main
code = main(sys.argv[1:])
heavy = sorted(set({heavy}) & set(sys.modules))
assert not heavy, heavy
sys.exit(code)
"""


def process(*arguments: str, program: str | None = None) -> subprocess.CompletedProcess[str]:
    text = program or PROGRAM.format(heavy=HEAVY)
    return subprocess.run(
        [sys.executable, "-c", text, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", REFUSED)
def test_a_refusal_is_one_line_before_anything_heavy_is_imported(arguments: str) -> None:
    done = process(*arguments.split())
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", HELP)
def test_help_imports_nothing_heavy(arguments: str) -> None:
    done = process(*arguments.split())
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "squeezed-bench" in done.stdout or "python -m" in done.stdout


def test_the_commands_are_there() -> None:
    for name, entry in command.COMMANDS.items():
        module, _, function = entry.place.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), name


def test_run_is_meant_where_the_word_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard = []
    monkeypatch.setattr("bench.cli.run.main", lambda arguments: heard.append(arguments) or 0)
    for given in (
        ["run", "method=full"],
        ["method=full"],
        ["-m", "method=full"],
        ["+x=1"],
        ["run"],
    ):
        assert command.main(given) == 0
    assert heard == [["method=full"], ["method=full"], ["-m", "method=full"], ["+x=1"], []]


def test_without_arguments_it_says_what_there_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.main([]) == 0
    assert "Commands (each with --help)" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
