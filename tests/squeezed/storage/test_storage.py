"""Fixed contexts on disk: what comes back, and when nothing is lost."""

import dataclasses
import errno
import json
import os
import shutil
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import squeezed
from squeezed.calibration.curves import Calibration
from squeezed.index.settings import Conditions
from squeezed.storage import load as loading
from squeezed.storage.manifest import (
    CHECKSUM,
    MANIFEST,
    TENSORS,
    manifest_checksum,
    sha256,
)
from tests.squeezed.conftest import STATISTICS, logits, random_ids, tiny_llama
from tests.squeezed.storage.conftest import load

QUESTION = random_ids(14, seed=21)
METHODS = [
    squeezed.Full(),
    squeezed.Squeezed(),
    squeezed.Squeezed(sparsity=0.7, rule="topp"),
    squeezed.Squeezed(sparsity=0.7, scope="head"),
    squeezed.Quest(),
    squeezed.SnapKV(),
    squeezed.H2O(),
    squeezed.KVzip(),
    squeezed.ExpectedAttention(),
    squeezed.CriticalKV(),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("keys_values", [True, False])
def test_saved_and_loaded_context_answers_alike(tmp_path, dtype, keys_values):
    model = tiny_llama(dtype=dtype)
    ctx = squeezed.prepare(
        model, random_ids(300, seed=2), (0.05, 0.2), strategy="top-down", statistics=STATISTICS
    )
    ctx.save(tmp_path / "a" / "index", keys_values=keys_values)
    loaded = load(tmp_path / "a" / "index", model)
    assert loaded.settings == ctx.settings
    assert torch.equal(loaded.ids, ctx.ids)
    assert loaded.index_bytes == ctx.index_bytes
    for method in METHODS:
        assert torch.equal(
            logits(model, loaded, method, QUESTION), logits(model, ctx, method, QUESTION)
        )
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["index"]


def older(folder, version, accumulate):
    """Rewrites a stored context as versions before named statistics wrote it."""
    from safetensors.torch import save_file

    kept = ("received_attention",) if accumulate else ()
    tensors = {}
    for name, tensor in load_file(folder / TENSORS).items():
        _, _, statistic = name.partition(".statistic.")
        if not statistic or statistic in kept:
            tensors[name.replace("statistic.received_attention", "accumulated")] = tensor
    save_file(tensors, folder / TENSORS)
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["settings"]["statistics"], manifest[CHECKSUM]
    manifest["settings"]["accumulate"] = accumulate
    manifest |= {"format_version": version, "sha256": sha256(folder / TENSORS)}
    manifest[CHECKSUM] = manifest_checksum(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("version", [3, 4])
def test_a_context_of_an_older_format_is_read_truly(copy, model, ctx, version):
    older(copy, version, accumulate=True)
    loaded = load(copy, model)
    assert loaded.settings.statistics == ("received_attention",)
    for method in (squeezed.H2O(), squeezed.Squeezed(sparsity=0.7)):
        want = logits(model, ctx, method, QUESTION)
        assert torch.equal(logits(model, loaded, method, QUESTION), want)
    with pytest.raises(ValueError, match="needs the statistic replay_attention"):
        loaded.cache(squeezed.KVzip())


def test_an_older_context_without_statistics_has_none(copy, model):
    older(copy, 3, accumulate=False)
    assert load(copy, model).layers[0].statistics == {}


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        (["entropy"], "some of received_attention"),
        (["replay_attention", 3], "some of"),
        (3, "not iterable"),
    ],
)
def test_statistics_that_cannot_be_are_damage(copy, model, statistics, message):
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["settings"]["statistics"] = statistics
    manifest[CHECKSUM] = manifest_checksum({k: v for k, v in manifest.items() if k != CHECKSUM})
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(squeezed.IndexCorruptError, match=message):
        load(copy, model)


def test_without_keys_and_values_the_folder_is_small(tmp_path, model):
    ctx = squeezed.prepare(model, random_ids(1500, seed=2), keep_queries=False)
    sizes = {}
    for keys_values in (True, False):
        folder = ctx.save(tmp_path / str(keys_values), keys_values=keys_values)
        sizes[keys_values] = sum(file.stat().st_size for file in folder.iterdir())
    assert sizes[True] - sizes[False] == pytest.approx(ctx.kv_bytes, rel=0.01)
    # Beyond keys and values: the index, the ids and the names of the tensors.
    assert sizes[False] <= ctx.index_bytes + ctx.ids.nbytes + 10_000


def test_calibration_on_inputs_is_kept(tmp_path, model, ctx):
    calibrated = ctx.calibrate(model, [random_ids(9, seed=1), random_ids(8, seed=2)], 4)
    loaded = load(calibrated.save(tmp_path / "index"), model)
    assert loaded.calibrated_on == "inputs"
    for found, want in zip(
        loaded.calibrations(Conditions()), calibrated.calibrations(Conditions()), strict=True
    ):
        for a, b in zip(found.tensors(), want.tensors(), strict=True):
            assert torch.equal(a, b)
    method = squeezed.Squeezed(sparsity=0.6)
    want = logits(model, calibrated, method, QUESTION)
    assert torch.equal(logits(model, loaded, method, QUESTION), want)
    assert torch.equal(logits(model, loaded.to_host(), method, QUESTION), want)


def test_calibration_on_inputs_is_not_made_up_for_other_drops(tmp_path, model):
    """The window's queries are there, but they are not what this context was calibrated on."""
    ctx = squeezed.prepare(model, random_ids(300, seed=2), (0.05, 0.2))
    calibrated = ctx.calibrate(model, [random_ids(9, seed=1)], 2)
    loaded = load(calibrated.save(tmp_path / "index"), model)
    loaded.cache(squeezed.Squeezed(sparsity=0.8))
    with pytest.raises(ValueError, match="its sample user inputs are not stored; call calibrate"):
        loaded.cache(squeezed.Squeezed(sparsity=0.8, coarse_sparsity=0.7))


def test_every_calibration_that_was_made_is_kept(tmp_path, model):
    ctx = squeezed.prepare(model, random_ids(300, seed=2), (0.05, 0.2))
    asked = [
        squeezed.Squeezed(sparsity=0.8, coarse_sparsity=0.7),
        squeezed.Squeezed(sparsity=0.8, scope="layer"),
        squeezed.Squeezed(sparsity=0.8, rule="topp"),
    ]
    for method in asked:
        ctx.cache(method)
    loaded = load(ctx.save(tmp_path / "index"), model)
    assert set(loaded.known_calibrations()) == {
        Conditions((0.5,), "model"),
        Conditions((0.7,), "model"),
        Conditions((0.5,), "layer"),
        Conditions((0.5,), "topk"),
    }
    for method in asked:
        assert torch.equal(
            logits(model, loaded, method, QUESTION), logits(model, ctx, method, QUESTION)
        )


def test_saving_again_replaces(tmp_path, model, ctx):
    other = squeezed.prepare(model, random_ids(200, seed=3))
    ctx.save(tmp_path / "index")
    other.save(tmp_path / "index")
    assert load(tmp_path / "index", model).tokens == 200
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


def test_a_full_disk_leaves_the_old_index(tmp_path, model, ctx, monkeypatch):
    folder = ctx.save(tmp_path / "index")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        squeezed.prepare(model, random_ids(200, seed=3)).save(folder)
    monkeypatch.undo()
    assert load(folder, model).tokens == ctx.tokens
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


def between_the_two(monkeypatch, happens):
    """Something happens, with the new folder, while the old one is aside and that not yet in its place."""
    replace, seen = Path.replace, []

    def replaced(path, target):
        seen.append(path)
        if len(seen) == 2:
            happens(path)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replaced)


def test_an_interruption_between_the_two_leaves_the_old_index(tmp_path, model, ctx, monkeypatch):
    folder = ctx.save(tmp_path / "index")

    def interrupt(_):
        raise KeyboardInterrupt

    between_the_two(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        squeezed.prepare(model, random_ids(200, seed=3)).save(folder)
    monkeypatch.undo()
    assert load(folder, model).tokens == ctx.tokens
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


def test_of_two_that_save_at_once_the_later_one_stays(tmp_path, model, ctx, monkeypatch):
    folder = ctx.save(tmp_path / "index")
    # Another process puts its own there.
    between_the_two(monkeypatch, lambda making: shutil.copytree(making, folder))
    squeezed.prepare(model, random_ids(200, seed=3)).save(folder)
    monkeypatch.undo()
    assert load(folder, model).tokens == 200
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


def test_a_folder_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path, model, ctx, monkeypatch
):
    folder = ctx.save(tmp_path / "index")
    newer = squeezed.prepare(model, random_ids(200, seed=3))
    read = loading.read_context

    def replaced(*given):
        if not saved:
            saved.append(newer.save(folder))
        return read(*given)

    saved: list[Path] = []
    monkeypatch.setattr(loading, "read_context", replaced)
    assert load(folder, model).tokens == 200


def test_thresholds_that_are_not_finite_are_never_saved(tmp_path, model, ctx):
    broken = dataclasses.replace(ctx)
    good, _ = ctx.calibrations(Conditions())
    bad = Calibration(good.levels, good.mass * float("nan"), good.conditions)
    broken.derive(Conditions(), lambda: (bad, bad))
    with pytest.raises(squeezed.IndexCorruptError, match="not finite"):
        broken.save(tmp_path / "index")
    assert not list(tmp_path.iterdir())


def test_the_rights_of_a_folder_follow_the_umask(tmp_path, ctx):
    """A group shares a cache: its other members must be able to read what one has saved."""
    before = os.umask(0o002)
    try:
        folder = ctx.save(tmp_path / "index")
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o775
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o664}
