"""Reading a context from its folder, checked in every part, for the model it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from squeezed.calibration.of_context import Pair
from squeezed.context.data import Context
from squeezed.errors import IndexCorruptError, IndexMismatchError
from squeezed.index.layer import LayerIndex, Level, in_cluster_order
from squeezed.index.settings import Conditions
from squeezed.model import attention, families, fingerprint
from squeezed.model.layers import Attends, attends
from squeezed.model.prefill import prefill
from squeezed.model.states import LayerStates, LocalLayer, sort_out
from squeezed.storage import integrity
from squeezed.storage.manifest import read_manifest, read_settings
from squeezed.storage.tensors import calibrations_of, layer_of, local_of, read_tensors, recurrent_of

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Place:
    """What the model says of one of its layers: the device it is on, and what it attends to."""

    device: torch.device
    attends: Attends


def load_context(folder: Path, model: PreTrainedModel) -> Context:
    """Reads what ``save_context`` wrote, for the same model, whose attention is switched to the engine's.

    Keys and values that were not written are computed again.

    Raises:
        FileNotFoundError: no such folder. IndexCorruptError: damaged. IndexMismatchError: of another model
            or format version. UnsupportedModelError: the engine cannot reproduce this model's attention.
    """
    attention.switch(model)
    of_model = fingerprint.of_model(model)
    manifest = read_manifest(folder)
    if manifest["model"] != of_model:
        raise IndexMismatchError(
            f"{folder}: model is {manifest['model'][:12]}, but the given model is "
            f"{of_model[:12]}: the index was made with other weights, settings or dtype; "
            "prepare the context again"
        )
    try:
        stored = read_context(folder, manifest)
    except IndexCorruptError:
        if read_manifest(folder) == manifest:
            raise
        return load_context(folder, model)  # somebody replaced the folder between its two files
    places = _places(model)
    _require_layers(folder, stored, places)
    layers: Sequence[LayerIndex] = stored.layers
    local, recurrent = stored.local, stored.recurrent
    if not manifest["keys_values"]:
        settings = stored.settings
        states = prefill(model, stored.ids, settings.window)  # statistics are in the file
        full, local, recurrent = sort_out(states)
        layers = _prefilled(layers, full)
    devices = [place.device for place in places if place.attends.indexed]
    return replace(
        stored,
        layers=tuple(_to_device(*each) for each in zip(layers, devices, strict=True)),
        local={n: _local_to_device(layer, places[n].device) for n, layer in local.items()},
        recurrent={n: state.to(places[n].device) for n, state in recurrent.items()},
    ).with_derived(stored.derived)


def _places(model: PreTrainedModel) -> list[Place]:
    """Of each of the model's layers."""
    devices, kinds = families.layer_devices(model), attends(families.text_config(model))
    return [Place(*each) for each in zip(devices, kinds, strict=True)]


def read_context(folder: Path, manifest: dict[str, Any]) -> Context:
    """What a folder with this manifest holds, on the CPU; keys and values that were not written are empty.

    Raises:
        IndexCorruptError: damaged. IndexMismatchError: the token ids are not those of the manifest.
    """
    tensors = read_tensors(folder, manifest)
    try:
        settings = read_settings(manifest)
        integrity.check_settings(settings)
        calibrations = calibrations_of(tensors, manifest, settings)
        ids = tensors["ids"]
        integrity.require(ids.ndim == 1 and ids.dtype == torch.int64, "ids", "int64 [N]")
        if fingerprint.of_ids(ids) != manifest["ids"]:
            raise IndexMismatchError(
                f"{folder}: ids do not match the manifest's fingerprint; prepare it again"
            )
        local = {entry["number"]: local_of(tensors, entry) for entry in manifest["local"]}
        layers = tuple(
            layer_of(tensors, number, entry, settings)
            for number, entry in enumerate(manifest["layers"])
        )
        recurrent = {
            entry["number"]: recurrent_of(tensors, entry) for entry in manifest.get("recurrent", ())
        }
        for state in recurrent.values():
            integrity.check_recurrent(state, manifest["keys_values"])
        integrity.check_states_told(tensors, recurrent.values())
        _require_whole(ids, layers, local, calibrations, manifest["keys_values"])
        integrity.check_told(manifest, len(ids), layers)
    except (KeyError, TypeError, IndexError, AttributeError, RuntimeError, OverflowError) as error:
        raise IndexCorruptError(
            f"{folder}: manifest and tensors do not fit together ({error!r}); prepare it again"
        ) from error
    except IndexCorruptError as error:
        raise IndexCorruptError(f"{folder}: {error}") from None
    integrity.require_finite(calibrations, f"load {folder}")
    context = Context(
        ids,
        layers,
        settings,
        manifest["model"],
        local,
        calibrated_on=manifest["calibrated_on"],
        recurrent=recurrent,
    )
    return context.with_derived(calibrations)


def _require_whole(
    ids: torch.Tensor,
    layers: Sequence[LayerIndex],
    local: Mapping[int, LocalLayer],
    calibrations: Mapping[Conditions, Pair],
    keys_values: bool,
) -> None:
    """Raises ``IndexCorruptError`` unless all parts fit each other."""
    integrity.require(len(layers) > 0, "no layer", "at least one")
    for layer in layers:
        integrity.check_layer(layer, len(ids), keys_values)
    for local_layer in local.values():
        integrity.check_local(local_layer)
    for pair in calibrations.values():
        for calibration in pair:
            integrity.check_calibration(calibration, len(layers), layers[0].heads)


def _require_layers(folder: Path, stored: Context, places: Sequence[Place]) -> None:
    """Raises ``IndexMismatchError`` unless the folder holds what the model's layers need."""
    silent = sum(not state.attends for state in stored.recurrent.values())
    found = len(stored.layers) + len(stored.local) + silent
    if found != len(places):
        raise IndexMismatchError(
            f"{folder}: holds {found} layers, but the given model has {len(places)}"
        )
    kinds = {number: place.attends for number, place in enumerate(places)}
    windows = {n: (layer.sliding_window, layer.chunked) for n, layer in stored.local.items()}
    wanted = {n: (k.window, k.chunked) for n, k in kinds.items() if k.window and not k.bare}
    if windows != wanted:
        raise IndexMismatchError(
            f"{folder}: layers with a sliding window (number: tokens, in chunks) are {windows or 'none'}, "
            f"but those of the given model are {wanted or 'none'}; prepare the context again"
        )
    states = {number: state.attends for number, state in stored.recurrent.items()}
    needed = {n: not kind.bare for n, kind in kinds.items() if kind.bare or kind.stateful}
    if states != needed:
        raise IndexMismatchError(
            f"{folder}: layers with a recurrent state or no keys (number: has keys) are {states or 'none'}, "
            f"but those of the given model are {needed or 'none'}; prepare the context again"
        )


def _prefilled(layers: Sequence[LayerIndex], states: list[LayerStates]) -> list[LayerIndex]:
    """The layers with keys and values of a new prefill, brought into cluster order."""
    filled = []
    for layer, state in zip(layers, states, strict=True):
        order = layer.positions.long().to(state.keys.device)
        rows = [in_cluster_order(each, order) for each in (state.keys, state.values)]
        filled.append(replace(layer, keys=rows[0], values=rows[1]))
    return filled


def _to_device(layer: LayerIndex, device: torch.device) -> LayerIndex:
    levels = tuple(replace(level, **_moved(level, device)) for level in layer.levels)
    statistics = {name: each.to(device) for name, each in layer.statistics.items()}
    return replace(layer, levels=levels, statistics=statistics, **_moved(layer, device))


def _moved(parts: LayerIndex | Level, device: torch.device) -> dict[str, Any]:
    """The tensors among the fields, on a device."""
    fields = vars(parts).items()
    return {name: part.to(device) for name, part in fields if isinstance(part, torch.Tensor)}


def _local_to_device(layer: LocalLayer, device: torch.device) -> LocalLayer:
    return replace(layer, keys=layer.keys.to(device), values=layer.values.to(device))
