"""What a stored index holds, read from its folder alone: sizes, settings, clusters, thresholds."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from squeezed.calibration.curves import Calibration
from squeezed.calibration.of_context import Pair, known_calibrations
from squeezed.clustering import cluster_statistics
from squeezed.context.data import Context
from squeezed.index.layer import LayerIndex
from squeezed.index.settings import Conditions
from squeezed.storage.load import read_context
from squeezed.storage.manifest import read_manifest

SPARSITIES = (0.5, 0.7, 0.9)  # at which thresholds are shown

# Parts of an index, beside keys and values.
PARTS = ("centroids", "offsets", "spreads", "positions", "curves")


def inspect(folder: str | Path) -> dict[str, Any]:
    """Everything worth knowing about an index, as plain numbers and strings.

    All checksums are verified first; sizes are bytes, thresholds log scores per key.

    Raises:
        FileNotFoundError: no such folder. IndexCorruptError: damaged. IndexMismatchError: of another format
            version.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    stored = read_context(folder, manifest)
    sizes = _bytes(stored, manifest)
    return {
        "folder": str(folder),
        "format_version": manifest["format_version"],
        "model": stored.model_fingerprint,
        "ids": manifest["ids"],
        "tokens": len(stored.ids),
        "layers": len(stored.layers),
        "kv_heads": stored.layers[0].heads,
        "settings": manifest["settings"],
        "dtype": manifest["dtype"],
        "keys_values_stored": manifest["keys_values"],
        "bytes": sizes,
        "index_share": sum(sizes[part] for part in PARTS) / sizes["keys_values"],
        "levels": _levels(stored.layers),
        "calibrated_on": stored.calibrated_on,
        "calibrations": [
            _thresholds(conditions, phase, calibration)
            for conditions, pair in known_calibrations(stored).items()
            for phase, calibration in _phases(pair)
        ],
        "checksums": "ok",
        "sha256": manifest["sha256"],
    }


def to_text(report: dict[str, Any]) -> str:
    """The report of ``inspect`` as lines to read."""
    settings, sizes = report["settings"], report["bytes"]
    stored = "stored" if report["keys_values_stored"] else "not stored, prefilled again on loading"
    share = {name: f"{size / sizes['keys_values']:.2%}" for name, size in sizes.items()}
    lines = [
        f"folder      {report['folder']} (format version {report['format_version']})",
        f"checksums   {report['checksums']} (sha256 {report['sha256'][:12]})",
        f"model       {report['model']}",
        f"context     {report['tokens']} tokens (ids {report['ids'][:12]}), "
        f"{report['layers']} layers, {report['kv_heads']} KV heads, {report['dtype']}",
        f"settings    {', '.join(f'{name} {value}' for name, value in settings.items())}",
        f"keys+values {_size(sizes['keys_values'])}, {stored}",
        f"index       {report['index_share']:.2%} of keys and values: "
        + ", ".join(f"{name} {_size(sizes[name])} ({share[name]})" for name in PARTS),
        "also stored "
        + ", ".join(f"{name} {_size(sizes[name])}" for name in ("queries", "statistics"))
        + (f", recurrent states {_size(sizes['states'])}" if sizes["states"] else ""),
    ]
    for level in report["levels"]:
        lines.append(
            f"level {level['level']}     {level['clusters']} clusters a head: mean {level['mean']:.1f} keys, "
            f"median {level['median']:.1f}, 99 % at most {level['p99']:.0f}; largest holds "
            f"{level['largest_share']:.1%} of a head's keys (layer {level['largest_layer']}, head "
            f"{level['largest_head']}); {level['empty']} empty in all"
        )
    for calibration in report["calibrations"]:
        how = f", {calibration['how']}" if calibration["how"] else ""
        lines.append(f"calibrated  on {report['calibrated_on']} for {calibration['phase']}{how}")
        for level, thresholds in enumerate(calibration["thresholds"]):
            values = [
                f"{'none' if value is None else f'{value:.4f}'} at {sparsity}"
                for sparsity, value in thresholds.items()
            ]
            lines.append(f"  level {level}   log thresholds {', '.join(values)}")
    return "\n".join(lines)


def _bytes(stored: Context, manifest: dict[str, Any]) -> dict[str, int]:
    levels = [level for layer in stored.layers for level in layer.levels]
    curves = [
        tensor
        for pair in known_calibrations(stored).values()
        for _, calibration in _phases(pair)
        for tensor in calibration.tensors()
    ]
    queries = [layer.queries for layer in stored.layers if layer.queries is not None]
    statistics = [each for layer in stored.layers for each in layer.statistics.values()]
    return {
        "keys_values": manifest["kv_bytes"],
        "centroids": sum(level.centroids.nbytes for level in levels),
        "offsets": sum(level.offsets.nbytes for level in levels),
        "spreads": sum(level.spread.nbytes for level in levels if level.spread is not None),
        "positions": sum(layer.positions.nbytes for layer in stored.layers),
        "curves": sum(curve.nbytes for curve in curves),
        "queries": sum(tensor.nbytes for tensor in queries),
        "statistics": sum(tensor.nbytes for tensor in statistics),
        "states": stored.state_bytes,
    }


def _phases(pair: Pair) -> list[tuple[str, Calibration]]:
    """The calibrations of a pair with what they are for; window calibration is one for both."""
    inputs, tokens = pair
    if inputs is tokens:
        return [("user inputs and tokens", inputs)]
    return [("user inputs", inputs), ("tokens", tokens)]


def _levels(layers: tuple[LayerIndex, ...]) -> list[dict[str, Any]]:
    """Cluster sizes of each level over all layers and heads, coarse to fine."""
    found = []
    for depth in range(len(layers[0].levels)):
        each = [cluster_statistics(layer.levels[depth].counts) for layer in layers]
        shares = [statistics.largest_share.tolist() for statistics in each]
        places = [(layer, head) for layer, row in enumerate(shares) for head in range(len(row))]
        layer, head = max(places, key=lambda place: shares[place[0]][place[1]])  # first of equals
        found.append(
            {
                "level": depth,
                "clusters": layers[0].levels[depth].clusters,
                "mean": sum(statistics.mean.sum().item() for statistics in each) / len(places),
                "median": sum(statistics.median.sum().item() for statistics in each) / len(places),
                "p99": max(statistics.p99.max().item() for statistics in each),
                "largest_share": shares[layer][head],
                "largest_layer": layer,
                "largest_head": head,
                "empty": int(sum(statistics.empty.sum().item() for statistics in each)),
            }
        )
    return found


def _thresholds(conditions: Conditions, phase: str, calibration: Calibration) -> dict[str, Any]:
    """Thresholds of the whole model at each level, by sparsity; ``None`` keeps whatever gets there."""
    levels = []
    for level in calibration.levels:
        found = {each: level.threshold(each, "model", 0).item() for each in SPARSITIES}
        # The lowest number stands for keys whose coarser cluster is dropped already.
        lowest = torch.finfo(torch.float32).min
        levels.append(
            {str(each): value if value > lowest else None for each, value in found.items()}
        )
    what = asdict(conditions) | {"drops": list(conditions.drops)}
    return what | {"how": str(conditions), "phase": phase, "thresholds": levels}


def _size(count: int) -> str:
    """Bytes for a reader: 512 B, 1.5 KiB, 12.0 MiB."""
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
