"""The wheel: what is in it, which names it puts into site-packages, and its work from an empty folder.

It is unpacked where ``pip install`` would put it; nothing is downloaded.
"""

import json
import re
import tomllib
import zipfile
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
    (built,) = wheel.parent.glob("*.whl")  # where it is unpacked, Python adds compiled modules
    found = {
        name
        for name in zipfile.ZipFile(built).namelist()
        if not Path(name).parent.name.endswith((".dist-info", "licenses"))
    }
    assert found == wanted
    kinds = {Path(each).suffix for each in found}
    assert {".yaml", ".safetensors", ".html", ".css", ".js", ".jsonl", ".json"} <= kinds


def test_no_package_of_the_repository_is_forgotten() -> None:
    packages = {each.parent.name for each in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == {each for each in FOLDERS if "/" not in each}


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
def test_the_command_works_beside_packages_of_the_same_names(
    wheel: Path, foreign: Path, tmp_path: Path
) -> None:
    """Pages of help, sweeps with their processes, and their report, in one process: each starts for long."""
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "rows.py").write_text(FOREIGN)  # where the user works, and `python -m` looks first
    small = "task.length=512 task.samples=1 task.max_new_tokens=2 backend=reference"
    sweeps = [
        f"-m hydra/launcher={launcher} method=full,{other} method.kv_budget=0.5 {small}"
        for launcher, other in (("processes", "streaming"), ("local_jobs", "random"))
    ]
    lines = ("data list", "recommend --help", "dry_run=true", *sweeps)
    program = commands(*lines, "status check=true", "report site=site") + (
        "import bench, rows; print(bench.__file__, rows.__file__)"
    )
    done = run(wheel, folder, program, foreign)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 run: 0 finished, 1 to do" in done.stdout
    last = done.stdout.splitlines()[-1].split()
    assert all(each.startswith(str(wheel)) for each in last), last
    assert done.stdout.count("2 runs in 1 job") == 1
    assert done.stdout.count("1 run in 1 job") == 1  # the first sweep has full attention already
    assert len(re.findall(r"^sweep \w+: 2 runs: 2 done$", done.stdout, re.MULTILINE)) == 2
    assert {each.name for each in folder.iterdir()} == {".cache", "results", "rows.py", "site"}
    assert (folder / "site" / "index.html").stat().st_size > 10_000
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for path in folder.rglob("records.jsonl"):
        assert json.loads(path.read_text().splitlines()[0])["commit"] == f"v{version}"
