"""The recipes of CONTRIBUTING.md, followed in a copy of the repository: what they say is all that is needed.

The commands ``python -m pytest`` of the page are run here in a smaller choice.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, additions

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COPIED = (
    "bench",
    "conf",
    "docs",
    "longbench",
    "prefixqa",
    "probes",
    "rows",
    "ruler",
    "squeezed",
    "tests",
)
NAMED = "tests/docs/test_reference.py::test_methods_tasks_and_studies_are_all_named"
RECIPES = {
    "Add a method": ("keydiff", ("tests/squeezed/methods/test_keydiff.py", "{bench}[keydiff]")),
    "Add a task": ("opening", ("tests/bench/tasks/test_opening.py",)),
}
BENCH = "tests/bench/runs/test_answer.py::test_every_method_has_a_config_and_runs"


def recipe(heading: str) -> list[tuple[str, str, str]]:
    """Kind, path and text of what a section adds."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return additions(section)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The repository without its results and its history."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "kernels").symlink_to(ROOT / "kernels")  # their compiled code is kept by the path
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_names_every_file_that_changes(heading: str, copy: Path) -> None:
    name, tests = RECIPES[heading]
    added = recipe(heading)
    assert len(added) == 4, [path for _, path, _ in added]  # a file, a YAML, a line, a test
    for kind, path, text in added:
        target = copy / path
        assert target.exists() == (kind == "line"), path
        old = target.read_text(encoding="utf-8") if kind == "line" else ""
        target.write_text(old + text, encoding="utf-8")
    places = os.pathsep.join([str(copy), str(ROOT / "kernels")])
    commands = (
        ["pytest", "-q", "-p", "no:cacheprovider", NAMED, *(t.format(bench=BENCH) for t in tests)],
        ["ruff", "check", "--no-cache", *(path for _, path, _ in added if path.endswith(".py"))],
    )
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=copy,
            env=os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}{done.stderr[-1000:]}"
