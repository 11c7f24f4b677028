"""The wheel: what is in it, which names it puts into site-packages, and its work from an empty folder."""

import json
import tomllib
from pathlib import Path

import pytest

import squeezed_bench
from tests.squeezed_bench.conftest import ROOT, run

# From where in the repository, to where in the wheel.
FOLDERS = {each: f"squeezed_bench/suite/{each}" for each in squeezed_bench.PACKAGES} | {
    "squeezed": "squeezed",
    "squeezed_bench": "squeezed_bench",
    "kernels/squeezed_kernels": "squeezed_kernels",
}
FOREIGN = "raise RuntimeError('this is the package of somebody else')\n"


def commands(*lines: str) -> str:
    """A program that runs command lines as the console script squeezed-bench does, until one fails."""
    return f"""
from squeezed_bench.command import main
for line in {lines}:
    if code := main(line.split()):
        raise SystemExit(code)
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with packages of others, named as ours."""
    for name in ("bench", "conf", "rows"):
        (tmp_path / "foreign" / name).mkdir(parents=True)
        (tmp_path / "foreign" / name / "__init__.py").write_text(FOREIGN)
    return tmp_path / "foreign"


def test_names_in_site_packages_are_ours_alone(wheel: Path) -> None:
    names = {each.name for each in wheel.iterdir()}
    assert {each for each in names if not each.endswith(".dist-info")} == {
        *("squeezed", "squeezed_bench", "squeezed_kernels")
    }


def test_every_file_of_the_packages_is_in_it(wheel: Path) -> None:
    wanted = {
        f"{target}/{path.relative_to(ROOT / source).as_posix()}"
        for source, target in FOLDERS.items()
        for path in (ROOT / source).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {
        path.relative_to(wheel).as_posix()
        for path in wheel.rglob("*")
        if path.is_file() and not path.parent.name.endswith((".dist-info", "licenses"))
    }
    assert found == wanted
    kinds = {Path(each).suffix for each in found}
    assert {".yaml", ".safetensors", ".html", ".css", ".js", ".jsonl", ".json"} <= kinds


def test_no_package_of_the_repository_is_forgotten() -> None:
    packages = {each.parent.name for each in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == {each for each in FOLDERS if "/" not in each}


def test_the_command_works_beside_packages_of_the_same_names(
    wheel: Path, foreign: Path, tmp_path: Path
) -> None:
    program = commands("data list", "recommend --help", "dry_run=true") + (
        "import bench, rows; print(bench.__file__, rows.__file__)"
    )
    done = run(wheel, tmp_path / "empty", program, foreign)
    assert done.returncode == 0, done.stderr
    assert "1 run: 0 finished, 1 to do" in done.stdout
    last = done.stdout.splitlines()[-1].split()
    assert all(each.startswith(str(wheel)) for each in last), last


def test_another_package_that_is_loaded_already_is_named(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "foreign" / "rows"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    done = run(wheel, tmp_path / "empty", "import rows, squeezed_bench", folder.parent)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert f"rows is loaded already, from {folder / '__init__.py'}" in last
    assert "import squeezed_bench first" in last


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["processes", "local_jobs"])
def test_a_sweep_its_processes_and_its_report(
    wheel: Path, foreign: Path, tmp_path: Path, launcher: str
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "rows.py").write_text(FOREIGN)  # where the user works, and `python -m` looks first
    sweep = (
        f"-m hydra/launcher={launcher} method=full,streaming task.length=512 task.samples=1 "
        "task.max_new_tokens=2 method.kv_budget=0.5 backend=reference"
    )
    done = run(wheel, folder, commands(sweep, "status check=true", "report site=site"), foreign)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 runs: 2 done" in done.stdout
    assert {each.name for each in folder.iterdir()} == {".cache", "results", "rows.py", "site"}
    assert (folder / "site" / "index.html").stat().st_size > 10_000
    (first, _) = folder.rglob("records.jsonl")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert json.loads(first.read_text().splitlines()[0])["commit"] == f"v{version}"
