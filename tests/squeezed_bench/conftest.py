"""The wheel of this tree, unpacked as an installation would, and programs that run beside it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


def unpacked_wheel(source: Path, folder: Path) -> Path:
    """Builds the wheel of a source tree, without a network, and unpacks it; the folder that it is in."""
    (built,) = WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"])
    place = folder / "site-packages"
    with zipfile.ZipFile(built) as file:
        file.extractall(place)
    return place


def run(wheel: Path, folder: Path, program: str, *before: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program in a folder, as if pip had installed the wheel, behind other folders on the path."""
    folder.mkdir(exist_ok=True)
    path = os.pathsep.join(map(str, (*before, wheel)))
    environment = dict(os.environ, PYTHONPATH=path, HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, unpacked."""
    return unpacked_wheel(ROOT, tmp_path_factory.mktemp("wheel"))
