"""``squeezed-bench``: its commands, and what a wrong setting and a help page cost."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.cli import main as command
from tests.commands import Done

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
# Starts with what every command imports from others; then a process of its own for each line of arguments.
PROGRAM = """
import json, os, sys, tempfile
import hydra, omegaconf
from hydra.core.override_parser.overrides_parser import OverridesParser
from bench.cli.main import main

for line in sys.stdin:
    files = [tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")]
    child = os.fork()
    if child == 0:
        for file, number in zip(files, (1, 2)):
            os.dup2(file.fileno(), number)
        code = 70  # of a traceback, or of an import that is too heavy
        try:
            code = main(json.loads(line))
            heavy = sorted(set({heavy}) & set(sys.modules))
            assert not heavy, heavy
        except BaseException:
            code = 70
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for file in files:
        file.seek(0)
    print(json.dumps([code, *(file.read() for file in files)]), flush=True)
"""
Process = Callable[..., Done]


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    """Runs the command in a process that has imported Hydra and nothing heavy; code 70: it did."""
    text = PROGRAM.format(heavy=HEAVY)
    with subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdin is not None
        assert starter.stdout is not None
        asked, told = starter.stdin, starter.stdout

        def run(*arguments: str) -> Done:
            print(json.dumps(arguments), file=asked, flush=True)
            return Done(*json.loads(told.readline()))

        yield run
        asked.close()


@pytest.mark.parametrize("arguments", REFUSED)
def test_a_refusal_is_one_line_before_anything_heavy_is_imported(
    process: Process, arguments: str
) -> None:
    done = process(*arguments.split())
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", HELP)
def test_help_imports_nothing_heavy(process: Process, arguments: str) -> None:
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
