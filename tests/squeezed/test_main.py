"""``python -m squeezed inspect``: what it prints, and how it fails."""

import json

import pytest

import squeezed
from squeezed.__main__ import main
from squeezed.diagnostics.inspection import inspect
from squeezed.index.settings import Conditions
from squeezed.storage.manifest import MANIFEST, TENSORS
from tests import forked
from tests.squeezed.conftest import random_ids


@pytest.fixture(scope="module")
def stored(model, tmp_path_factory):
    ctx = squeezed.prepare(
        model, random_ids(500, seed=1), (0.02, 0.1), seed=7, statistics=("received_attention",)
    )
    return ctx, ctx.save(tmp_path_factory.mktemp("stored") / "index")


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main([str(each) for each in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_json_says_what_the_index_holds(capsys, stored):
    ctx, folder = stored
    code, out, err = run(capsys, "inspect", folder, "json=true")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["model"] == ctx.model_fingerprint
    assert (report["tokens"], report["layers"], report["kv_heads"]) == (500, 3, 2)
    assert report["settings"]["levels"] == [0.02, 0.1]
    assert (report["settings"]["window"], report["settings"]["seed"]) == (100, 7)
    assert report["dtype"] == "float32"
    assert report["keys_values_stored"] is True
    sizes = report["bytes"]
    assert sizes["keys_values"] == ctx.kv_bytes
    index = sum(sizes[name] for name in ("centroids", "offsets", "spreads", "positions", "curves"))
    assert index == ctx.index_bytes
    assert report["index_share"] == pytest.approx(ctx.index_bytes / ctx.kv_bytes)
    assert sizes["queries"] == sum(layer.queries.nbytes for layer in ctx.layers)
    assert sizes["statistics"] == sum(
        layer.statistics["received_attention"].nbytes for layer in ctx.layers
    )
    assert report["checksums"] == "ok"


def test_clusters_and_thresholds_are_those_of_the_context(stored):
    ctx, folder = stored
    report = inspect(folder)
    for level, clusters in zip(report["levels"], (8, 40), strict=True):
        shares = [int(layer.levels[level["level"]].counts.max()) / 400 for layer in ctx.layers]
        assert level["clusters"] == clusters
        assert level["mean"] == 400 / clusters
        assert level["largest_share"] == pytest.approx(max(shares))
        assert level["largest_layer"] == shares.index(max(shares))
        assert level["empty"] == 0
    (calibration,) = report["calibrations"]
    assert (calibration["drops"], calibration["by"]) == ([0.5], "model")
    inputs, _ = ctx.calibrations(Conditions((0.5,)))
    for found, level in zip(calibration["thresholds"], inputs.levels, strict=True):
        for sparsity in ("0.7", "0.9"):
            want = level.threshold(float(sparsity), "model", 0).item()
            assert found[sparsity] == pytest.approx(want)
    # At the share that the coarse level drops there is no threshold left at the fine one.
    assert calibration["thresholds"][1]["0.5"] is None


def test_text_for_a_reader(capsys, stored):
    ctx, folder = stored
    code, out, _ = run(capsys, "inspect", folder)
    assert code == 0
    for part in (
        str(folder),
        ctx.model_fingerprint,
        "500 tokens",
        "levels [0.02, 0.1]",
        "seed 7",
        "float32",
        "8 clusters a head",
        "40 clusters a head",
        "checksums   ok",
        "coarse drops 0.5 by model, mean scores",
        "none at 0.5",
        f"{ctx.index_bytes / ctx.kv_bytes:.2%} of keys and values",
    ):
        assert part in out, part


def test_an_index_without_keys_and_with_two_calibrations(capsys, tmp_path, model, stored):
    ctx, _ = stored
    calibrated = ctx.calibrate(model, [random_ids(6, seed=2)], 2)
    folder = calibrated.save(tmp_path / "index", keys_values=False)
    report = inspect(folder)
    assert report["keys_values_stored"] is False
    assert report["bytes"]["keys_values"] == ctx.kv_bytes
    assert report["index_share"] == pytest.approx(calibrated.index_bytes / ctx.kv_bytes)
    assert [each["phase"] for each in report["calibrations"]] == ["user inputs", "tokens"]
    assert report["calibrated_on"] == "inputs"
    _, out, _ = run(capsys, "inspect", folder)
    assert "not stored, prefilled again on loading" in out


def damage_tensors(folder):
    path = folder / TENSORS
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)


def damage_manifest(folder):
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"tokens": 500', '"tokens": 501'))


def another_version(folder):
    path = folder / MANIFEST
    path.write_text(path.read_text().replace('"format_version": ', '"format_version": 9'))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_tensors, "checksum differs"),
        (damage_manifest, "checksum differs"),
        (another_version, "format_version is 9"),
        (lambda folder: (folder / MANIFEST).unlink(), "manifest.json: cannot be read"),
        (lambda folder: (folder / TENSORS).unlink(), "missing"),
    ],
)
def test_damage_is_one_line_and_exit_code_two(capsys, tmp_path, stored, damage, message):
    folder = tmp_path / "index"
    folder.mkdir()
    for file in stored[1].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    damage(folder)
    code, out, err = run(capsys, "inspect", folder)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err


def test_as_a_command(tmp_path):
    missing = forked.run("squeezed", "inspect", str(tmp_path / "nothing"))
    assert missing.returncode == 2
    assert missing.stderr.splitlines() == [
        f"error: {tmp_path}/nothing: no such folder, so no stored fixed context to load"
    ]


@pytest.mark.parametrize("arguments", [[], ["look"], ["inspect"], ["inspect", "a", "jsn=true"]])
def test_what_is_no_command_is_bad_input(capsys, arguments):
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "python -m squeezed inspect FOLDER" in error
    assert error.count("\n") == 1
