"""A stored context, copies of it to damage, and folders whose checksums are right whatever they say."""

import json

import pytest
from safetensors.torch import save_file

import squeezed
from squeezed.storage.manifest import CHECKSUM, MANIFEST, TENSORS, manifest_checksum, sha256


@pytest.fixture(scope="module")
def folder(ctx, tmp_path_factory):
    """A stored context; tests that damage it work on a copy."""
    return ctx.save(tmp_path_factory.mktemp("stored") / "index")


@pytest.fixture
def copy(folder, tmp_path):
    target = tmp_path / "index"
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def load(folder, model):
    return squeezed.FixedContext.load(folder, model=model)


def signed_anew(folder, tensors=None, change=None):
    """The folder with other content and right checksums."""
    if tensors is not None:
        save_file(tensors, folder / TENSORS)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest |= change(manifest) if change else {}
    manifest["sha256"] = sha256(folder / TENSORS)
    manifest[CHECKSUM] = manifest_checksum(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
