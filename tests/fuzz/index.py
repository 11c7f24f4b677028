"""A stored index: its manifest as it is, and whole folders that are signed anew after the damage.

Bytes that a disk changed are caught by the checksums. Signed anew, only the content can give a file away:
that is what another program, or someone with bad intentions, would write.
"""

import functools
import json
import math
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

import squeezed
from squeezed.storage import manifest as on_disk
from tests.fuzz import kinds
from tests.fuzz.damage import damaged_bytes
from tests.fuzz.harness import Loader

REFUSED = (squeezed.IndexCorruptError, squeezed.IndexMismatchError)
FILES = {"manifest": on_disk.MANIFEST, "tensors": on_disk.TENSORS}
METHODS = (squeezed.Squeezed(sparsity=0.5), squeezed.Quest(sparsity=0.5), squeezed.StreamingLLM())


@functools.cache
def model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=20,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        eos_token_id=None,
    )
    return LlamaForCausalLM(config).eval()


def stored(folder: Path) -> list[bytes]:
    ids = torch.arange(60) % 17 + 2
    path = folder / "index"
    if not path.exists():
        squeezed.prepare(model(), ids, levels=(0.1, 0.3), window=10).save(path)
    return [name.encode() + b"\n" + (path / file).read_bytes() for name, file in FILES.items()]


@functools.cache
def good() -> dict[str, bytes]:
    """Content of both files, by name."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        pairs = (each.split(b"\n", 1) for each in stored(Path(folder)))
        return {name.decode(): content for name, content in pairs}


def manifests(folder: Path) -> list[bytes]:
    return [good()["manifest"]]


def both(folder: Path) -> list[bytes]:
    return [name.encode() + b"\n" + content for name, content in good().items()]


def read_manifest(content: bytes, folder: Path) -> None:
    (folder / on_disk.MANIFEST).write_bytes(content)
    found = on_disk.read_manifest(folder)
    assert found == json.loads(good()["manifest"])  # nothing but this manifest has its checksum


def read_signed(content: bytes, folder: Path) -> None:
    """The folder, signed anew; what is loaded can be asked."""
    name, _, content = content.partition(b"\n")
    files = good() | {name.decode(): content}
    (folder / on_disk.TENSORS).write_bytes(files["tensors"])
    (folder / on_disk.MANIFEST).write_bytes(sign(files["manifest"], folder))
    context = squeezed.FixedContext.load(folder, model=model())
    question = torch.tensor([3, 4])
    for method in METHODS:
        out = squeezed.generate(model(), context, question, method=method, max_new_tokens=2)
        assert out.sequences.shape == (1, 2)
        assert math.isfinite(out.stats.kv_budget)


def sign(manifest: bytes, folder: Path) -> bytes:
    try:
        fields = json.loads(manifest)
        if not isinstance(fields, dict):
            return manifest
        fields["sha256"] = on_disk.sha256(folder / on_disk.TENSORS)
        fields[on_disk.CHECKSUM] = on_disk.manifest_checksum(fields)
        return json.dumps(fields).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return manifest


TENSORS = kinds.either(kinds.safetensors, kinds.tensor_values)
LOADERS = (
    Loader("index manifest", 8, manifests, kinds.json_file, read_manifest, REFUSED),
    Loader("index files", 1, both, kinds.named(damaged_bytes), read_signed, REFUSED),
    Loader(
        "index, signed anew",
        3,
        both,
        kinds.by_name(manifest=kinds.json_file, tensors=TENSORS),
        read_signed,
        REFUSED,
    ),
)
