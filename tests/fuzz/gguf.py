"""The head of a GGUF file, without the vocabulary and the numbers that make real ones large."""

import importlib.util
import struct
from pathlib import Path

from rows.gguf.header import GgufError, read_header
from tests.fuzz.damage import damaged_bytes
from tests.fuzz.harness import Loader


def text(value: str) -> bytes:
    content = value.encode()
    return struct.pack("<Q", len(content)) + content


def file(folder: Path) -> list[bytes]:
    """A head with a key of each shape, two tensors, and their bytes."""
    strings = struct.pack("<IIQ", 9, 8, 2) + text("a") + text("\u4e2d")
    keys = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("general.alignment") + struct.pack("<II", 4, 32),
        text("llama.rope.freq_base") + struct.pack("<If", 6, 1e4),
        text("tokenizer.ggml.tokens") + strings,
        text("tokenizer.ggml.scores") + struct.pack("<IIQ2f", 9, 6, 2, 0.0, 1.0),
    ]
    tensors = [
        text("token_embd.weight") + struct.pack("<I2QIQ", 2, 32, 2, 8, 0),  # Q8_0: 34 bytes for 32
        text("output_norm.weight") + struct.pack("<IQIQ", 1, 32, 0, 96),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys + tensors)
    return [head + bytes(-len(head) % 32 + 96 + 128)]


def read(content: bytes, folder: Path) -> None:
    path = folder / "model.gguf"
    path.write_bytes(content)
    header = read_header(path)
    assert header.tensors
    assert header.start <= len(content)


LOADERS = (
    (Loader("gguf", 4, file, damaged_bytes, read, (GgufError,)),)
    if importlib.util.find_spec("gguf")  # which knows the types of numbers
    else ()
)
