"""Files of figures: the same figure gives the same bytes, and is drawn again only if its data changed."""

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.reporting.figures.style import Drawn, applied
from bench.reporting.output import write_file, write_text

DPI = 150
# No date and no version in the files.
PLAIN = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}

DRAWN = ".drawn"  # folder beside the figures: what each was drawn from


@dataclass(frozen=True)
class Written:
    """Files of a figure, the PNG first; none if it would have told nothing. ``notes``: as in ``Drawn``."""

    paths: list[Path]
    notes: tuple[str, ...] = ()


def write_drawn(
    draw: Callable[[], Drawn],
    data: Sequence[str | pd.DataFrame],
    folder: Path,
    name: str,
    formats: Sequence[str] = (),
) -> Written:
    """Draws a figure and writes its files; if they are there and drawn from the same data, does nothing.

    Drawing takes most of the time of a report. What a file was drawn from stands in ``FOLDER/.drawn``, with
    the checksum of the file: one that was changed or removed is drawn again, and so are all if the code that
    draws or a library is another.

    Args:
        draw: makes the figure. data: all that it depends on beside the code.
    """
    note, source = folder / DRAWN / f"{name}.json", _digest(data)
    paths = [folder / f"{name}.{kind}" for kind in _kinds(formats)]
    try:
        known = json.loads(note.read_text())
        if known["source"] == source:
            if known["files"] is None:
                return Written([], tuple(known["notes"]))
            if all(known["files"][path.name] == _checksum(path) for path in paths):
                return Written(paths, tuple(known["notes"]))
    except (OSError, ValueError, KeyError, TypeError):  # none, or not ours: it is drawn
        pass
    drawn = draw()
    files = None
    if drawn.figure is not None:
        write_figure(drawn.figure, folder, name, formats)
        files = {path.name: _checksum(path) for path in paths}
    write_text(note, json.dumps({"source": source, "files": files, "notes": drawn.notes}))
    return Written([] if files is None else paths, drawn.notes)


def write_figure(
    figure: Figure, folder: Path, name: str, formats: Sequence[str] = ()
) -> list[Path]:
    """Writes ``NAME.png``, with ``pdf`` in ``formats`` that too; returns the paths, the PNG first."""
    return [write_image(figure, folder / f"{name}.{kind}") for kind in _kinds(formats)]


def _kinds(formats: Sequence[str]) -> list[str]:
    return ["png", *(kind for kind in PLAIN if kind != "png" and kind in formats)]


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digest(data: Sequence[str | pd.DataFrame]) -> str:
    """Of texts and tables, every number to its last digit, and of all that draws."""
    content = hashlib.sha256(_code().encode())
    for part in data:
        text = part if isinstance(part, str) else part.to_csv()
        content.update(f"{len(text)} {text}".encode())
    return content.hexdigest()


@functools.cache
def _code() -> str:
    """What decides how a figure looks: the reporting's sources, the libraries, and matplotlib's settings."""
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    libraries = [version(name) for name in ("matplotlib", "numpy", "pandas")]
    settings: Any = sorted((name, repr(value)) for name, value in mpl.rcParams.items())
    content = hashlib.sha256(repr((libraries, settings, DPI)).encode())
    for path in sources:
        content.update(path.read_bytes())
    return content.hexdigest()


def write_image(figure: Figure, path: Path) -> Path:
    """Writes a figure as PNG or PDF, by the path's ending; returns its path."""
    kind = path.suffix[1:]

    @applied
    def save(place: Path) -> None:
        if kind == "png":
            # The same bytes as savefig's, which goes through the whole figure once more before it draws.
            before = figure.get_dpi()
            figure.set_dpi(DPI)
            FigureCanvasAgg(figure).print_png(place, metadata=PLAIN[kind])
            figure.set_dpi(before)
        else:
            figure.savefig(place, format=kind, dpi=DPI, metadata=PLAIN[kind])

    return write_file(path, save)
