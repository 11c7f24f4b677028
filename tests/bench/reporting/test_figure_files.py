"""Files of figures: drawn once for the same data, and again for any other."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from bench.reporting.figures import files
from bench.reporting.figures.files import write_drawn
from bench.reporting.figures.style import Drawn, applied

Made = Callable[..., files.Written]


@pytest.fixture
def times() -> list[int]:
    """How often a figure was drawn."""
    return []


@pytest.fixture
def made(tmp_path: Path, times: list[int]) -> Made:
    def draw(table: pd.DataFrame) -> Drawn:
        times.append(1)
        if table.empty:
            return Drawn(None, ("nothing to see",))
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot(table["x"])
        return Drawn(figure, ("a note",))

    def make(*values: float, title: str = "t", formats: tuple[str, ...] = ()) -> files.Written:
        table = pd.DataFrame({"x": values})
        return write_drawn(lambda: draw(table), [title, table], tmp_path, "f", formats)

    return make


def test_the_same_data_are_drawn_once(made: Made, times: list[int], tmp_path: Path) -> None:
    first = made(1.0, 2.0)
    content = (tmp_path / "f.png").read_bytes()
    assert made(1.0, 2.0) == first == files.Written([tmp_path / "f.png"], ("a note",))
    assert len(times) == 1
    assert (tmp_path / "f.png").read_bytes() == content


def test_anything_else_is_drawn_again(
    made: Made, times: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.png"
    made(1.0, 2.0)
    content = path.read_bytes()
    made(1.0, 2.0 + 2**-50)
    made(1.0, 2.0)
    assert len(times) == 3
    made(1.0, 2.0, title="another")
    made(1.0, 2.0)
    assert len(times) == 5
    path.write_bytes(content[:-1])
    made(1.0, 2.0)
    path.unlink()
    made(1.0, 2.0)
    (note,) = (tmp_path / files.DRAWN).iterdir()
    note.write_text("{")
    made(1.0, 2.0)
    assert len(times) == 8
    monkeypatch.setattr(files, "_code", lambda: "another version")
    made(1.0, 2.0)
    assert len(times) == 9
    assert path.read_bytes() == content


def test_a_format_that_is_not_there_is_drawn(made: Made, times: list[int], tmp_path: Path) -> None:
    made(1.0)
    assert len(made(1.0, formats=("pdf",)).paths) == 2
    assert (tmp_path / "f.pdf").exists()
    made(1.0)
    made(1.0, formats=("pdf",))
    assert len(times) == 2


def test_what_has_no_figure_is_remembered_with_its_note(made: Made, times: list[int]) -> None:
    assert made() == made() == files.Written([], ("nothing to see",))
    assert len(times) == 1


def test_a_png_has_the_bytes_that_savefig_gives_it(tmp_path: Path) -> None:
    def draw() -> Figure:
        figure = Figure(figsize=(2, 1), layout="constrained")
        axes = figure.subplots()
        axes.plot([1, 3, 2])
        axes.set_ylabel("a long name of what is drawn")
        figure.suptitle("a title")
        return figure

    ours = draw()
    files.write_image(ours, tmp_path / "ours.png")
    before = ours.get_dpi()
    applied(draw().savefig)(
        tmp_path / "theirs.png", format="png", dpi=files.DPI, metadata=files.PLAIN["png"]
    )
    assert (tmp_path / "ours.png").read_bytes() == (tmp_path / "theirs.png").read_bytes()
    assert ours.get_dpi() == before != files.DPI
