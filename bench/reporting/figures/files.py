"""Files of figures: the same figure gives the same bytes."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from bench.reporting.figures.style import applied
from bench.reporting.output import write_file

DPI = 150
# No date and no version in the files.
PLAIN = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


def write_figure(
    figure: Figure, folder: Path, name: str, formats: Sequence[str] = ()
) -> list[Path]:
    """Writes ``NAME.png``, with ``pdf`` in ``formats`` that too; returns the paths, the PNG first."""
    kinds = ["png", *(kind for kind in PLAIN if kind != "png" and kind in formats)]
    return [write_image(figure, folder / f"{name}.{kind}") for kind in kinds]


def write_image(figure: Figure, path: Path) -> Path:
    """Writes a figure as PNG or PDF, by the path's ending; returns its path."""
    kind = path.suffix[1:]

    @applied
    def save(place: Path) -> None:
        figure.savefig(place, format=kind, dpi=DPI, metadata=PLAIN[kind])

    return write_file(path, save)
