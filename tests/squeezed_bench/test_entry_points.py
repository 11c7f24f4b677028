"""What an installed wheel offers by entry points: a command, and a model of lm-evaluation-harness."""

import importlib.util
from pathlib import Path

import pytest

from tests.squeezed_bench.conftest import run

# The harness takes the class of an entry point by its name, as pip's console scripts take a function.
LOADS = """
import importlib.metadata, sys
(ours,) = (
    each
    for each in importlib.metadata.distribution("squeezed-attention-bench").entry_points
    if (each.group, each.name) == {which}
)
found = ours.load()
print(found.__name__, sys.modules[found.__module__].__file__)
"""
# The three names that the model takes from the harness, where the harness itself is not installed.
STANDS_IN = {
    "api/instance.py": "Instance = None\n",
    "api/registry.py": "register_model = lambda name: lambda model: model\n",
    "models/huggingface.py": "class HFLM: pass\n",
}


@pytest.fixture
def harness(tmp_path: Path) -> list[Path]:
    """A folder to put on the path, unless lm-evaluation-harness is installed."""
    if importlib.util.find_spec("lm_eval") is not None:
        return []
    for name, text in {
        **dict.fromkeys(("__init__.py", "api/__init__.py"), ""),
        **STANDS_IN,
    }.items():
        path = tmp_path / "stands-in" / "lm_eval" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [tmp_path / "stands-in"]


@pytest.mark.parametrize(
    ("which", "name", "file"),
    [
        (("console_scripts", "squeezed-bench"), "main", "bench/cli/main.py"),
        (("lm_eval.models", "squeezed"), "SqueezedLM", "bench/harness/model.py"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_it_loads_from_the_wheel(
    wheel: Path, harness: list[Path], tmp_path: Path, which: tuple[str, str], name: str, file: str
) -> None:
    done = run(wheel, tmp_path / "empty", LOADS.format(which=which), *harness)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [name, str(wheel / "squeezed_bench" / "suite" / file)]
