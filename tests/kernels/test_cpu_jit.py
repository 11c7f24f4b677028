"""How compiled loops are kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

numba = pytest.importorskip("numba")
import squeezed_kernels  # noqa: E402
from squeezed_kernels.cpu import jit, lookup  # noqa: E402


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
    """A folder with a copy of the package's loops, which need no torch: that takes seconds to import."""
    package = Path(squeezed_kernels.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(package / "cpu", tmp_path / "squeezed_kernels" / "cpu", ignore=ignored)
    (tmp_path / "squeezed_kernels" / "__init__.py").touch()
    return tmp_path


def test_another_process_finds_a_compiled_task():
    """The task that is used, where its code is kept: with a folder of its own it takes half a minute."""
    lookup.lookup_task(numpy.float32)
    program = f"""
import numpy, sys, types
package = types.ModuleType("squeezed_kernels")  # without torch
package.__path__ = [{str(Path(squeezed_kernels.__file__).parent)!r}]
sys.modules["squeezed_kernels"] = package
from squeezed_kernels.cpu import jit, lookup
with jit.listening(print):
    print(lookup.lookup_task(numpy.float32).address != 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


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


def test_what_is_to_be_compiled_is_told_once(root):
    program = """
import numpy
from squeezed_kernels.cpu import jit

@jit.exact
def one(x):
    return x + 1

with jit.listening(lambda name: print("compiles", name)):
    assert one(1) == 2
one(1.5)  # nobody listens
"""
    (root / "program.py").write_text(program)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(root / "kept"), "PYTHONPATH": str(root)}
    said = [
        subprocess.run(
            [sys.executable, "-c", "import program"],
            env=environment,
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    assert said == ["compiles one\n", ""]


def test_every_part_that_is_compiled_is_told_with_its_number(monkeypatch):
    import torch
    from squeezed_kernels.cpu import ops

    heard = []

    def compiles():
        for listener in jit._listeners:
            listener("f")
            listener("g")

    monkeypatch.setattr(ops, "stages", lambda dtype: {"a": compiles, "b": lambda: 0, "c": compiles})
    squeezed_kernels.compile_all("cpu", torch.float32, lambda *each: heard.append(each))
    assert heard == [("a", 1, 3), ("c", 3, 3)]
    squeezed_kernels.compile_all("reference", torch.float32, lambda *each: heard.append(each))
    assert len(heard) == 2


def test_the_parts_are_all_that_a_run_needs():
    """What is compiled for a method's first question is compiled by them: lookup, attention, the rest."""
    import torch
    from squeezed_kernels.cpu import ops

    for run in ops.stages(torch.float32).values():
        run()
    heard = []
    with jit.listening(heard.append):
        query, keys = torch.randn(2, 4, 3, 16), torch.randn(2, 40, 16)
        counts, offsets = torch.full((2, 4), 10), torch.arange(0, 50, 10)[None].repeat(2, 1)
        scores = ops.lookup(query, keys[:, ::10].bfloat16(), counts, 0.1, block=1)
        keep = scores > scores.median()
        part = ops.attend_groups(query, keys, keys, keep, offsets, 0.1, block=1)
        ops.merge(part, ops.attend(query, keys[None], keys[None], None, 0.1))
        ops.children(keep, offsets.int())
    assert heard == []
