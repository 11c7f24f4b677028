"""How compiled loops are kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

numba = pytest.importorskip("numba")
import squeezed_kernels  # noqa: E402
from squeezed_kernels.cpu import jit  # noqa: E402


def test_loops_compile_where_no_folder_takes_the_cache(monkeypatch):
    def refuse(self):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("numba.core.dispatcher.Dispatcher.enable_caching", refuse)
    assert jit.jit()(lambda x: x + 1)(1) == 2


def compiled_by(program: str, root: Path) -> set[tuple[str, int]]:
    """Kept code, and when it was written, after a process with the package of ``root``."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(root / "kept"), "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", program]
    subprocess.run(command, env=environment, check=True, timeout=300, cwd=root)
    return {(path.name, path.stat().st_mtime_ns) for path in (root / "kept").rglob("*.nbc")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a copy of the package."""
    package = Path(squeezed_kernels.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package, tmp_path / "squeezed_kernels", ignore=ignored)
    return tmp_path


def test_another_process_finds_a_compiled_task(root):
    program = (
        "import numpy; from squeezed_kernels.cpu import lookup as x; x.lookup_task(numpy.float32)"
    )
    first = compiled_by(program, root)
    assert first
    assert compiled_by(program, root) == first


def test_a_change_in_another_file_is_noticed(root):
    program = """
import ctypes
from squeezed_kernels.cpu import jit

@jit.exact
def one():
    return 1

def task(data):
    data[0] = one()

fields = (ctypes.c_int64 * 1)(0)
ctypes.CFUNCTYPE(None, ctypes.c_void_p)(jit.compile_task(task).address)(fields)
assert fields[0] == 1
"""
    (root / "program.py").write_text(program)
    program = "import program"
    first = compiled_by(program, root)
    assert first
    assert compiled_by(program, root) == first
    with (root / "squeezed_kernels/cpu/tile.py").open("a") as file:
        file.write("# changed\n")
    assert compiled_by(program, root).isdisjoint(first)
