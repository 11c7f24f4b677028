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
    "texts",
    "tests",
)
NAMED = "tests/docs/test_reference.py::test_methods_tasks_and_studies_are_all_named"
RECIPES = {
    "Add a method": (
        "long_values",
        ("tests/squeezed/methods/test_long_values.py", "{bench}[long_values]"),
    ),
    "Add a task": ("opening", ("tests/bench/tasks/test_opening.py",)),
}
BENCH = "tests/bench/runs/test_answer.py::test_every_method_has_a_config_and_runs"


def recipe(heading: str) -> list[tuple[str, str, str]]:
    """Kind, path and text of what a section adds."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return additions(section)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository without its results and its history."""
    folder = tmp_path_factory.mktemp("repository")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "kernels").symlink_to(ROOT / "kernels")  # their compiled code is kept by the path
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def outcomes(copy: Path) -> str:
    """What pytest says of each test, with all recipes followed: a process for each imports for long."""
    for heading in RECIPES:
        for kind, path, text in recipe(heading):
            target = copy / path
            assert target.exists() == (kind == "line"), path
            old = target.read_text(encoding="utf-8") if kind == "line" else ""
            target.write_text(old + text, encoding="utf-8")
    tests = [each.format(bench=BENCH) for _, asked in RECIPES.values() for each in asked]
    places = os.pathsep.join([str(copy), str(ROOT / "kernels")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", NAMED, *tests],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": places, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), f"{done.stdout[-3000:]}{done.stderr[-1000:]}"
    return done.stdout


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_names_every_file_that_changes(heading: str, copy: Path, outcomes: str) -> None:
    name, tests = RECIPES[heading]
    added = recipe(heading)
    assert len(added) == 4, [path for _, path, _ in added]  # a file, a YAML, a line, a test
    for wanted in (NAMED, *(each.format(bench=BENCH) for each in tests)):
        told = [line for line in outcomes.splitlines() if f" {wanted}" in line]
        assert told, f"{name}: {wanted} did not run\n{outcomes[-3000:]}"
        assert all(line.startswith("PASSED") for line in told), f"{name}: {outcomes[-3000:]}"
    files = [path for _, path, _ in added if path.endswith(".py")]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", *files],
        cwd=copy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}{done.stderr[-1000:]}"
