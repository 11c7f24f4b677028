"""A package importable as ``kernels`` is taken for the hub's: ours must never be, nor hide it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What transformers imports from the hub's package; ours providing less breaks its import.
STAND_IN = """
class _Any:
    def __init__(self, *args, **kwargs): pass
    def __call__(self, decorated=None, *args, **kwargs): return decorated
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Any
__version__ = "0.16.1"
"""


def run(code: str, *path: Path) -> str:
    """Runs code from the repository's root, where a folder called ``kernels`` lies first on the path."""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(map(str, path)), HF_HUB_OFFLINE="1")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_transformers_imports_beside_our_folder():
    """In this process, which has the root on its path, as one that is started there."""
    from transformers.models.llama import modeling_llama

    import squeezed

    found = importlib.util.find_spec("kernels")
    assert found is not None
    if found.origin is None:  # a folder without a module: the hub's package is not installed
        assert str(ROOT / "kernels") in list(found.submodule_search_locations)
    assert repr(squeezed.Full()) == "Full()"
    assert modeling_llama.LlamaForCausalLM


def test_the_hubs_package_is_found_and_not_hidden(tmp_path):
    package = tmp_path / "kernels"
    package.mkdir()
    (package / "__init__.py").write_text(STAND_IN)
    info = tmp_path / "kernels-0.16.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kernels\nVersion: 0.16.1\n")
    code = (
        "import kernels, transformers.models.llama.modeling_llama, squeezed_kernels, squeezed;"
        "print(kernels.__version__, squeezed_kernels.lookup.__name__)"
    )
    assert run(code, tmp_path) == "0.16.1 lookup"


def test_no_regular_package_called_kernels_is_ours():
    assert not (ROOT / "kernels" / "__init__.py").exists()
