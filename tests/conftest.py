"""What every test needs: commands of one process must not see each other's settings."""

import contextlib
import gc
import os
import sys
from collections.abc import Generator, Iterator
from io import BytesIO
from pathlib import Path

# Test modules import all of torch and transformers, and none of that is garbage: the collector would look
# through it again and again, for a fifth of the seconds of collection.
gc.disable()

import pytest  # noqa: E402
import torch  # noqa: E402

# Tests run offline; Hugging Face's library reads it when it is first imported.
os.environ["HF_HUB_OFFLINE"] = "1"

if not torch.cuda.is_available():
    # Triton reads it when it is first imported, which tests of other folders may do.
    os.environ["TRITON_INTERPRET"] = "1"

with contextlib.suppress(ImportError):  # a GPU machine may lack it
    from hypothesis import settings

    # A test that is slow on a machine with other work has not failed.
    settings.register_profile("suite", deadline=None)
    settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come first: the last one of all would hold one core while the others have nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported by now stays: Python need not look through it for garbage in every test.

    Composing settings, which hundreds of tests do, takes a quarter less.
    """
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _hydra_remembers() -> Iterator[None]:
    """Hydra merges a choice of files once in a process; see ``tests.composed``."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError):  # as where the kernels are tested on a GPU
            from tests.composed import remember

            remember(stack.enter_context(pytest.MonkeyPatch.context()))
        yield


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, and a picture of one point is written for each: drawing takes most of a report."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    point = BytesIO()
    Figure(figsize=(0.1, 0.1)).savefig(point, dpi=10)

    def write(_: object, place: Path, **__: object) -> None:
        place.write_bytes(point.getvalue())

    monkeypatch.setattr(FigureCanvasAgg, "print_png", write)
    monkeypatch.setattr(Figure, "savefig", write)  # PDF


@pytest.fixture(autouse=True)
def _forget_task_schemas() -> Iterator[None]:
    """After ``python -m bench`` in this process, Hydra takes ``task=`` of any other command for a group."""
    yield
    forget_task_schemas()


def forget_task_schemas() -> None:
    """Takes the bench's task schemas out of Hydra's store, where the bench puts them again."""
    if "hydra" not in sys.modules:  # as where the kernels are tested on a GPU, without Hydra
        return
    from hydra.core.config_store import ConfigStore

    ConfigStore.instance().repo.pop("task", None)
