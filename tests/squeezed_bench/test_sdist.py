"""The source distribution: all that a wheel needs is in it, and its wheel is that of the repository."""

import tarfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder

from tests.squeezed_bench.conftest import ROOT, unpacked_wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of this tree, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    (built,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with tarfile.open(built) as file:
        file.extractall(folder, filter="data")
    (place,) = (each for each in folder.iterdir() if each.is_dir())
    return place


def files(folder: Path) -> dict[str, int]:
    """Sizes of all files by their names."""
    # What ran in it left compiled modules and loops, which no wheel holds: test_wheel.py looks into the file.
    found = [
        path for path in folder.rglob("*") if path.is_file() if "__pycache__" not in path.parts
    ]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in found}


def test_its_wheel_is_that_of_the_repository(
    source: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours = files(unpacked_wheel(source, tmp_path_factory.mktemp("rebuilt")))
    assert ours == files(wheel)


def test_what_a_person_reads_and_builds_with_is_in_it(source: Path) -> None:
    for name in (
        *("README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "Makefile", "constraints.txt"),
        *("pyproject.toml", "docs/install.md", "examples/ten_questions.ipynb"),
    ):
        assert (source / name).is_file(), name


def test_studies_and_tests_stay_in_the_repository(source: Path) -> None:
    names = {each.name for each in source.iterdir()}
    assert not names & {"results", "tests", "findings", ".git", ".venv"}
