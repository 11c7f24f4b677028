"""Every command of the README and of docs/ runs, here or by a script that is named."""

import runpy
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from squeezed_kernels import backend

from bench import tasks
from bench.cli.main import main
from tests.conftest import forget_task_schemas
from tests.docs.pages import PAGES, PYTHON, ROOT, SCRIPT, Block, blocks, changed

SHELL = ("sh", "bash", "shell", "console")
TESTED = [page for page in PAGES if any(each.how in ("run", "run with") for each in blocks(page))]
Run = Callable[[list[str]], int]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a clone of the repository, with nothing but its examples and a few documents."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "Makefile").symlink_to(ROOT / "Makefile")
    texts = tmp_path / "my-documents"
    texts.mkdir()
    for page in ("docs/method.md", "docs/budget.md"):
        (texts / Path(page).name).write_text((ROOT / page).read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tasks, "TASKS", dict(tasks.TASKS))  # examples add to these
    monkeypatch.setattr(backend, "MODULES", dict(backend.MODULES))
    monkeypatch.setattr(backend, "HEAD_SIZES", dict(backend.HEAD_SIZES))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


@pytest.fixture
def run(here: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process, because a new one imports for seconds; returns its exit code."""

    def run(words: list[str]) -> int:
        if words[0] == "make":
            done = subprocess.run(["make", "-n", *words[1:]], capture_output=True, check=False)
            return done.returncode
        if words[0] == SCRIPT:
            return main(words[1:])
        if words[0] != PYTHON:
            return subprocess.run(words, capture_output=True, check=False).returncode
        forget_task_schemas()
        module = words[1] == "-m"
        name, arguments = (words[2], words[3:]) if module else (words[1], words[2:])
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        monkeypatch.syspath_prepend(str(ROOT / "examples"))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # the module was imported before
                if module:
                    runpy.run_module(name, run_name="__main__", alter_sys=True)
                else:
                    runpy.run_path(name, run_name="__main__")
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        return 0

    return run


@pytest.mark.parametrize("page", TESTED)
def test_commands_of_a_page_run(page: str, run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    for block in blocks(page):
        if block.how not in ("run", "run with"):
            continue
        if block.language == "python":
            exec(compile(block.text, f"{page}, block {block.number}", "exec"), {})
            continue
        for words in block.commands():
            code = run(words)
            said = capfd.readouterr()
            assert code == 0, f"{page}: {' '.join(words)}\n{said.out[-1000:]}\n{said.err[-2000:]}"


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_commands_says_what_runs_it(page: str) -> None:
    for block in blocks(page):
        assert block.language, f"{page}, block {block.number}: no language"
        if block.language in SHELL:
            assert block.language == "sh", f"{page}, block {block.number}: call it sh"
            assert block.how, f"{page}, block {block.number}: no <!-- run --> above it"
        if block.how == "run by":
            assert_runner(block)


def assert_runner(block: Block) -> None:
    """The place that runs a block exists, and has its commands or its make target."""
    place, _, reason = block.note.partition(": ")
    assert reason, f"{block.page}, block {block.number}: run by {place} for what reason?"
    path = ROOT / place
    assert path.is_file(), f"{block.page}, block {block.number}: there is no {place}"
    if place == "Makefile":
        return
    script = path.read_text(encoding="utf-8")
    for words in block.commands():
        program = words[2] if words[1:2] == ["-m"] else words[0]
        if words[0] == PYTHON and words[1].endswith(".py"):
            program = f'"{Path(words[1]).stem}"'
        assert program in script, f"{block.page}: {place} does not run {' '.join(words)}"


def test_make_targets_that_pages_name_exist(here: Path) -> None:
    named = {
        words[1]
        for page in PAGES
        for block in blocks(page)
        if block.language == "sh"
        for words in block.commands()
        if words[0] == "make"
    }
    assert {"bench", "test", "fuzz", "docs"} <= named
    for target in sorted(named):
        done = subprocess.run(["make", "-n", target], capture_output=True, check=False, cwd=ROOT)
        assert done.returncode == 0, target


def test_a_command_that_fails_would_be_seen(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    assert run([PYTHON, "-m", "bench", "method=nonsense"]) == 2
    assert run([PYTHON, "-m", "bench.report", "results=nowhere"]) == 2
    assert run(["make", "no-such-target"]) != 0


def test_changes_replace_and_add() -> None:
    words = [PYTHON, "-m", "bench", "a=1", "b.c=2"]
    assert changed(words, ["a=3", "d.e=4"]) == [PYTHON, "-m", "bench", "a=3", "b.c=2", "d.e=4"]
    other = [PYTHON, "-m", "bench.report", "results=x"]
    assert changed(other, ["a=3"]) == other
