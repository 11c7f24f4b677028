"""Figures of the table: latency and speed-up against the length, and the roofline."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.kernels.table import Row

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999"]
MARKERS = "os^vDPX*"


def write(rows: list[Row], folder: Path, name: str) -> list[Path]:
    """Writes the figures of all rows; none, silently, where matplotlib is absent."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        return []
    written = []
    with mpl.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        for stem, draw in (("latency", _latency), ("speedup", _speedup), ("roofline", _roofline)):
            cells = _cells(rows)
            figure = Figure(figsize=(4.2 * len(cells), 4.9), layout="constrained")
            grid = figure.subplots(1, len(cells), squeeze=False)
            for axes, (title, part) in zip(grid[0], cells.items(), strict=True):
                draw(axes, part)
                axes.set_title(title, fontsize=9)
            _legend(figure, columns=len(cells))
            figure.suptitle(rows[0]["device"])
            path = folder / f"{name}_{stem}.png"
            # A fixed software tag: the same table gives the same file.
            figure.savefig(path, dpi=130, metadata={"Software": None})
            written.append(path)
    return written


def _legend(figure: Any, columns: int) -> None:
    """One legend below all panels, each name once: inside a panel it would cover curves."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    place = {"loc": "outside lower center", "ncols": columns, "fontsize": 7}
    figure.legend(list(handles.values()), list(handles), **place)


def _cells(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by what a panel shows: heads, query tokens and data type."""
    cells: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        heads = f"{row['query_heads']}/{row['kv_heads']} heads"
        cells[f"{heads}, {row['query_tokens']} query tokens, {row['dtype']}"].append(row)
    return cells


def _curves(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows of each provider, by length; a dense one once, however many sparsities stand beside it."""
    curves: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in rows:
        label = row["provider"]
        if label.startswith("squeezed"):
            label += f" {float(row['sparsity']):.0%}, depth {row['depth']}"
        curves[label].setdefault(int(row["context"]), row)
    return {label: [found[n] for n in sorted(found)] for label, found in curves.items()}


def _latency(axes: Any, rows: list[Row]) -> None:
    for i, (label, curve) in enumerate(_curves(rows).items()):
        lengths = [int(row["context"]) for row in curve]
        style = {"color": COLOURS[i % 8], "marker": MARKERS[i % 8]}
        axes.plot(lengths, [float(r["median_ms"]) for r in curve], label=label, ms=4, **style)
        axes.fill_between(
            lengths,
            [float(r["low_ms"]) for r in curve],
            [float(r["high_ms"]) for r in curve],
            alpha=0.2,
            color=style["color"],
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("keys")
    axes.set_ylabel("ms, median and 20-80 %")


def _speedup(axes: Any, rows: list[Row]) -> None:
    number = 0
    for label, curve in _curves(rows).items():
        if not label.startswith("squeezed"):
            continue
        lengths = [int(row["context"]) for row in curve]
        for column, name in (("vs_sdpa", "SDPA"), ("vs_fastest_dense", "the fastest dense")):
            values = [float(r[column]) if r[column] else float("nan") for r in curve]
            axes.plot(
                lengths, values, label=f"{label}, over {name}", ms=4,
                color=COLOURS[number % 8], marker=MARKERS[number % 8],
            )  # fmt: skip
            number += 1
    axes.set_xscale("log", base=2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("keys")
    axes.set_ylabel("times as fast")


def _roofline(axes: Any, rows: list[Row]) -> None:
    copy, product = float(rows[0]["copy_gb_per_s"]), float(rows[0]["product_gflop_per_s"])
    points = [float(r["gflop"]) / float(r["mbytes"]) * 1e3 for r in rows]
    left, right = min(points) / 4, max(*points, product / copy) * 4
    knee = product / copy
    axes.plot(
        [left, knee, right], [left * copy, product, product], "k--", lw=1, label="copy, product"
    )
    for i, (label, curve) in enumerate(_curves(rows).items()):
        axes.plot(
            [float(r["gflop"]) / float(r["mbytes"]) * 1e3 for r in curve],
            [float(r["gflop"]) / float(r["median_ms"]) * 1e3 for r in curve],
            linestyle="none", label=label, ms=4, color=COLOURS[i % 8], marker=MARKERS[i % 8],
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations a byte read")
    axes.set_ylabel("GFLOP/s")
