"""Figures of the table: latency and speed-up against the length, and the roofline.

Of a stored index every layer is a point: there the layers stand along the axis, in place of the lengths.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reporting.figures import style
from bench.reporting.figures.files import write_image
from bench.reporting.figures.looks import Look

Row = dict[str, str]  # a row of the CSV of timings (bench.timing.kernels.table)

RANDOM = "random"  # the source of keys that are clustered by construction; older tables name none
Looks = dict[str, Look]
MARKERS = "os^Dv<>Xd"
BESIDE = 3  # panels
OVER, SDPA = ", over ", "SDPA"  # in the names of ratios


def write(rows: list[Row], folder: Path, name: str) -> list[Path]:
    """Writes ``NAME_FIGURE.png`` for each of ``FIGURES``; returns the paths."""
    return [write_image(draw(rows, stem), folder / f"{name}_{stem}.png") for stem in FIGURES]


@style.applied
def draw(rows: list[Row], stem: str) -> Figure:
    """One figure of all rows. ``stem``: a name in ``FIGURES``."""
    lines, panel = FIGURES[stem]
    cells = _cells(rows)
    look = _looks(lines(rows))  # of all panels, so that a colour means the same in each
    beside = min(len(cells), BESIDE)
    figure, grid = style.panels(
        -(-len(cells) // beside), beside, width=4.2, height=4.1, share=False
    )
    for axes, (title, part) in zip(grid.flat, cells.items(), strict=False):
        panel(axes, lines(part), look)
        axes.set_title(title)
    for axes in list(grid.flat)[len(cells) :]:
        axes.set_visible(False)
    style.legend(figure)
    figure.suptitle(rows[0]["device"])
    return figure


def _looks(names: Iterable[str]) -> Looks:
    """A look for each line: what is timed is no method, so the methods' looks do not stand for it.

    What one thing is compared with is told by the dashes, where the two may coincide.
    """
    timed = {name: name.partition(OVER)[0] for name in names}
    colours = style.colours(timed.values())
    numbers = {each: number for number, each in enumerate(colours)}
    return {
        name: Look(
            colours[each],
            MARKERS[numbers[each] % len(MARKERS)],
            "--" if name.endswith(OVER + SDPA) else "-",
        )
        for name, each in timed.items()
    }


def _cells(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by what a panel shows: heads, query tokens and data type; of a stored index alone."""
    cells: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        heads = f"{row['query_heads']}/{row['kv_heads']} heads"
        title = f"{heads}, {row['query_tokens']} query tokens, {row['dtype']}"
        if _stored(row):
            title = f"{row['source']}, {row['context']} keys\n{title}"
        elif (source := row.get("source", RANDOM)) != RANDOM:
            title = f"{source}\n{title}"
        cells[title].append(row)
    return cells


def _stored(row: Row) -> bool:
    """Whether a row is of the keys of a stored index."""
    return bool(row.get("layer"))  # by its place in the index


def _place(row: Row) -> int:
    """Where a row stands along the axis: at its layer, or its length."""
    return int(row["layer"] if _stored(row) else row["context"])


def _along(axes: Axes, curves: Iterable[list[Row]]) -> None:
    """Scale and name of the axis."""
    if any(_stored(row) for curve in curves for row in curve):
        axes.set_xlabel("layer")
        return
    axes.set_xscale("log", base=2)
    axes.set_xlabel("keys")


def _curves(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of each provider, by length or layer; a dense one once, whatever sparsities stand beside it."""
    curves: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        label = row["provider"]
        if label.startswith("squeezed"):
            label += f" {float(row['sparsity']):.0%}, depth {row['depth']}"
        curves[label].setdefault(_place(row), row)
    return {label: [found[n] for n in sorted(found)] for label, found in curves.items()}


def _ratios(rows: Iterable[Row]) -> dict[str, tuple[list[Row], str]]:
    """Our rows by what they are compared with, and the column that says it."""
    against = {"vs_sdpa": SDPA, "vs_fastest_dense": "the fastest dense"}
    return {
        f"{label}{OVER}{name}": (curve, column)
        for label, curve in _curves(rows).items()
        if label.startswith("squeezed")
        for column, name in against.items()
    }


def _latency(axes: Axes, curves: dict[str, list[Row]], looks: Looks) -> None:
    for label, curve in curves.items():
        places = [_place(row) for row in curve]
        low, high = ([float(row[name]) for row in curve] for name in ("low_ms", "high_ms"))
        _line(axes, places, [float(row["median_ms"]) for row in curve], label, looks)
        axes.fill_between(places, low, high, alpha=0.2, color=looks[label].colour)
    _along(axes, curves.values())
    axes.set_yscale("log")
    axes.set_ylabel("ms, median and 20-80 %")


def _speedup(axes: Axes, ratios: dict[str, tuple[list[Row], str]], looks: Looks) -> None:
    for label, (curve, column) in ratios.items():
        values = [float(row[column]) if row[column] else float("nan") for row in curve]
        _line(axes, [_place(row) for row in curve], values, label, looks)
    _along(axes, [curve for curve, _ in ratios.values()])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("times as fast")


def _roofline(axes: Axes, curves: dict[str, list[Row]], looks: Looks) -> None:
    rows = [row for curve in curves.values() for row in curve]
    copy, product = float(rows[0]["copy_gb_per_s"]), float(rows[0]["product_gflop_per_s"])
    points = [float(row["gflop"]) / float(row["mbytes"]) * 1e3 for row in rows]
    left, right = min(points) / 4, max(*points, product / copy) * 4
    knee = product / copy
    axes.plot(
        [left, knee, right], [left * copy, product, product], "k--", lw=1, label="copy, product"
    )
    for label, curve in curves.items():
        intensity = [float(row["gflop"]) / float(row["mbytes"]) * 1e3 for row in curve]
        speed = [float(row["gflop"]) / float(row["median_ms"]) * 1e3 for row in curve]
        _line(axes, intensity, speed, label, looks, line="none")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations a byte read")
    axes.set_ylabel("GFLOP/s")


def _line(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    label: str,
    looks: Looks,
    line: str | None = None,
) -> None:
    drawn = looks[label].drawn()
    axes.plot(x, y, label=label, markersize=4, **drawn | ({"linestyle": line} if line else {}))


# By the end of the file's name: which lines there are, and what draws them into a panel.
FIGURES: dict[str, tuple[Callable[..., Any], Callable[..., None]]] = {
    "latency": (_curves, _latency),
    "speedup": (_ratios, _speedup),
    "roofline": (_curves, _roofline),
}
