"""Fixed contexts on disk that are damaged, wrong or another's: all are refused, and it is said why."""

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import squeezed
from squeezed.storage.integrity import FIELDS
from squeezed.storage.manifest import (
    CHECKSUM,
    MANIFEST,
    TENSORS,
    manifest_checksum,
    read_manifest,
    sha256,
)
from tests.squeezed.conftest import random_ids, tiny_llama
from tests.squeezed.storage.conftest import load, signed_anew

QUESTION = random_ids(14, seed=21)
DOCUMENTED = (squeezed.IndexCorruptError, squeezed.IndexMismatchError)


@pytest.mark.parametrize("place", [100, -100])
def test_a_flipped_bit_is_refused(copy, model, place):
    path = copy / TENSORS
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(squeezed.IndexCorruptError, match="checksum"):
        load(copy, model)


def test_truncated_and_missing_files_are_refused(copy, tmp_path, model):
    data = (copy / TENSORS).read_bytes()
    (copy / TENSORS).write_bytes(data[:-1000])
    with pytest.raises(squeezed.IndexCorruptError):
        load(copy, model)
    (copy / TENSORS).unlink()
    with pytest.raises(squeezed.IndexCorruptError):
        load(copy, model)
    for text in ("{", "[]", "3", "\x00", ""):
        (copy / MANIFEST).write_text(text)
        with pytest.raises(squeezed.IndexCorruptError, match=r"manifest\.json"):
            load(copy, model)
    (copy / MANIFEST).unlink()
    with pytest.raises(squeezed.IndexCorruptError, match=r"manifest\.json"):
        load(copy, model)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load(tmp_path / "nothing", model)


def test_another_model_is_refused(folder, ctx):
    for other in (tiny_llama(seed=1), tiny_llama(dtype=torch.bfloat16)):
        with pytest.raises(squeezed.IndexMismatchError, match="model is"):
            load(folder, other)
        with pytest.raises(squeezed.IndexMismatchError, match="another model"):
            squeezed.generate(other, ctx, QUESTION, method=squeezed.Full())


def test_the_same_weights_with_another_rope_are_another_model(folder, ctx):
    other = tiny_llama(rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    with pytest.raises(squeezed.IndexMismatchError, match="other weights, settings or dtype"):
        load(folder, other)
    with pytest.raises(squeezed.IndexMismatchError, match="another model"):
        squeezed.generate(other, ctx, QUESTION, method=squeezed.Full())


def test_settings_that_change_no_key_do_not_matter(folder):
    model = tiny_llama()
    model.config.pad_token_id = 7
    model.config.use_cache = not model.config.use_cache
    model.config.initializer_range = 0.5
    load(folder, model)


def test_another_format_version_is_refused(copy, model):
    path = copy / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    with pytest.raises(squeezed.IndexMismatchError, match="format_version is 99"):
        load(copy, model)


def test_another_contexts_tensors_are_refused(tmp_path, folder, model):
    """Both files are whole, but they are not of one index."""
    other = squeezed.prepare(model, random_ids(200, seed=3)).save(tmp_path / "other")
    (other / TENSORS).write_bytes((folder / TENSORS).read_bytes())
    with pytest.raises(squeezed.IndexCorruptError, match="checksum"):
        load(other, model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: {"ids": "0" * 64}, "ids do not match"),
        (lambda manifest: {"layers": manifest["layers"] * 2}, "do not fit together"),
        (lambda manifest: {"layers": [{}]}, "do not fit together"),
        (lambda manifest: {"settings": {"levels": [0.05]}, "layers": 3}, "do not fit together"),
        (lambda manifest: {"settings": {}}, "do not fit together"),
        (lambda manifest: {"calibrations": [{"drops": [0.5]}]}, "do not fit together"),
        (lambda manifest: {"layers": manifest["layers"][:2]}, "layers"),
    ],
)
def test_a_manifest_that_is_whole_but_not_of_these_tensors_is_refused(copy, model, change, message):
    """Signed anew, so that only its content can give it away."""
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest |= change(manifest)
    manifest[CHECKSUM] = manifest_checksum(manifest)
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DOCUMENTED, match=message):
        load(copy, model)


def canonical(manifest: bytes) -> str:
    return json.dumps(json.loads(manifest.decode()), sort_keys=True)


DAMAGE = [None, 0, -1, 1.5, "", "x", [], [None], {}, {"a": 1}, True, float("nan"), 10**30]


# What is said of a value of the right type that cannot be; of another type, the field is named.
SAID = {
    "model": "model is",
    "ids": "ids do not match",
    "tokens": "tokens .* expected 613",
    "settings": "levels",
    "kv_bytes": "kv_bytes .* expected 470784",
    "dtype": "dtype .* expected float32",
    "layers": "no layer|do not fit together",
    "local": "do not fit together",
    "calibrations": "do not fit together",
    "calibrated_on": "calibrated_on; expected window or inputs",
    "sha256": "checksum differs",
}


def test_every_damaged_field_of_the_manifest_is_refused(copy, model):
    """Signed anew, so that the field itself is what gives it away."""
    path = copy / MANIFEST
    whole = json.loads(path.read_text())
    assert set(whole) == {*FIELDS, "format_version", CHECKSUM}
    for field in set(whole) - {CHECKSUM}:
        without = {name: value for name, value in whole.items() if name != field}
        values = [value for value in DAMAGE if value != whole[field]]
        if field == "calibrations":
            values.remove([])  # it has none, and makes them when they are asked for
        for manifest in [without, *(whole | {field: value} for value in values)]:
            kind, value = FIELDS.get(field), manifest.get(field)
            said = "format_version is"
            if kind is not None:
                right = type(value) is kind
                said = SAID[field] if right else f"the manifest's {field} is .*a {kind.__name__}"
            path.write_text(json.dumps(manifest | {CHECKSUM: manifest_checksum(manifest)}))
            with pytest.raises(DOCUMENTED, match=said):
                load(copy, model)
    path.write_text(json.dumps(whole))
    load(copy, model)


def test_a_field_that_is_changed_without_a_new_checksum_is_refused(copy, model):
    path = copy / MANIFEST
    whole = json.loads(path.read_text())
    for change in ({"tokens": 612}, {"calibrations": []}, {CHECKSUM: "0" * 64}, {"new": 1}):
        path.write_text(json.dumps(whole | change))
        with pytest.raises(squeezed.IndexCorruptError, match="its checksum differs"):
            load(copy, model)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_random_damage_to_the_manifest_is_refused(folder, model, tmp_path_factory, data):
    """Bytes changed, cut off, doubled or inserted anywhere in the file."""
    text = (folder / MANIFEST).read_bytes()
    place = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(place, min(place + 20, len(text))))
    damaged = text[:place] + data.draw(st.binary(max_size=10)) + text[end:]
    copy = tmp_path_factory.getbasetemp() / "fuzzed"
    copy.mkdir(exist_ok=True)
    (copy / MANIFEST).write_bytes(damaged)
    try:
        same = canonical(damaged) == canonical(text)
    except ValueError:
        same = False
    if same:  # white space, or nothing at all was changed
        assert read_manifest(copy) == json.loads(text)
    else:
        with pytest.raises(DOCUMENTED):
            read_manifest(copy)


def test_tensors_that_are_not_finite_are_not_loaded(copy, model):
    from safetensors.torch import save_file

    tensors = load_file(copy / TENSORS)
    name = next(each for each in tensors if each.endswith(".mass"))
    tensors[name][3] = float("inf")
    save_file(tensors, copy / TENSORS)
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["sha256"] = sha256(copy / TENSORS)
    manifest[CHECKSUM] = manifest_checksum(manifest)
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(squeezed.IndexCorruptError, match="not finite"):
        load(copy, model)


@pytest.mark.parametrize("name", ["keys", "values", "queries"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_rows_that_are_not_finite_are_not_loaded(copy, model, name, value):
    """One NaN among the keys, and every answer is another one."""
    tensors = load_file(copy / TENSORS)
    place = next(each for each in tensors if each.endswith(f".{name}"))
    tensors[place][0, 3, 1] = value
    signed_anew(copy, tensors)
    with pytest.raises(squeezed.IndexCorruptError, match=rf"{name}; expected finite"):
        load(copy, model)


@pytest.mark.parametrize("change", [{"scale": 0.5}, {"softcap": 30.0}])
def test_another_scale_or_cap_than_the_models_is_refused_when_asked(copy, model, change):
    def changed(manifest):
        first, *rest = manifest["layers"]
        return {"layers": [first | change, *rest]}

    signed_anew(copy, change=changed)
    context = load(copy, model)
    for method in (squeezed.Full(), squeezed.Squeezed(sparsity=0.5)):
        with pytest.raises(squeezed.IndexMismatchError, match="logits with scale and cap"):
            squeezed.generate(model, context, QUESTION, method=method, max_new_tokens=1)


@pytest.mark.parametrize(
    ("field", "value"),
    [("scale", -0.1), ("scale", 0), ("softcap", -5.0), ("softcap", 0), ("softcap", True)],
)
def test_a_scale_or_cap_that_is_none_is_not_loaded(copy, model, field, value):
    signed_anew(
        copy, change=lambda m: {"layers": [m["layers"][0] | {field: value}, *m["layers"][1:]]}
    )
    with pytest.raises(squeezed.IndexCorruptError, match=rf"{field} {value}; expected a"):
        load(copy, model)


@pytest.mark.parametrize("drops", [[1.0], [-0.1], [2], [True], [0.5, 0.5], []])
def test_drops_that_are_no_shares_are_not_loaded(tmp_path, model, drops):
    ctx = squeezed.prepare(model, random_ids(200, seed=3), (0.05, 0.2))
    ctx.cache(squeezed.Squeezed(sparsity=0.8))
    folder = ctx.save(tmp_path / "index")
    (entry,) = json.loads((folder / MANIFEST).read_text())["calibrations"]
    signed_anew(folder, change=lambda m: {"calibrations": [entry | {"drops": drops}]})
    with pytest.raises(squeezed.IndexCorruptError, match=r"drops .*; expected a share"):
        load(folder, model)
