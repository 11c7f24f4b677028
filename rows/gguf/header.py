"""The head of a GGUF file: read in an instant, and refused in one line where the file is damaged.

    magic "GGUF", version (uint32), number of tensors, number of keys (uint64 each)
    keys: name, type, value     tensors: name, shape, type, offset     padding     the tensors' bytes

All numbers are little-endian. Source: the format's specification in ggml (docs/gguf.md).
"""

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUFFIX = ".gguf"
MAGIC = b"GGUF"
VERSIONS = (2, 3)  # 1 had 32-bit lengths, and is older than any model of today
_STRING, _ARRAY = 8, 9
_NUMBERS = {
    **{0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?"},
    **{10: "<Q", 11: "<q", 12: "<d"},
}
_DIMENSIONS = 4  # at most, of a tensor
_ALIGNMENT = 32  # of the tensors' bytes, where the file does not say


class GgufError(ValueError):
    """A GGUF file that cannot be used; the message is one line that names it."""


@dataclass(frozen=True)
class Tensor:
    """One row of the tensor table. ``shape``: fastest dimension first. ``kind``: number of its ggml type.
    ``offset``: bytes from the start of the tensors' part."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class Header:
    """What stands before the tensors' bytes.

    Attributes:
        architecture: as llama.cpp calls it.
        values: the keys with one number, truth value or text. Of arrays: their length.
        tensors: in the file's order. start: byte of the file where their part begins.
    """

    architecture: str
    values: dict[str, Any]
    tensors: tuple[Tensor, ...]
    start: int

    @property
    def items(self) -> int:
        """Numbers in all tensors together."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)


def is_gguf(path: str | Path) -> bool:
    """Whether a path means a GGUF file, by its ending."""
    return str(path).lower().endswith(SUFFIX)


def read_header(path: Path) -> Header:
    """The head of a GGUF file; that the file is as long as its tensor table says is checked.

    Raises:
        FileNotFoundError: there is no such file.
        GgufError: it is no GGUF file, is damaged or cut off, is one of several parts, or is of a kind that
            is not read here.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no GGUF file {path}")
    size = path.stat().st_size
    with path.open("rb") as file:
        found = file.read(24)
        _require_magic(path, found)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            try:
                header = _Reader(view).header()
            except (struct.error, IndexError, UnicodeDecodeError, _DamageError) as error:
                why = str(error) if isinstance(error, _DamageError) else "its head ends too early"
                raise GgufError(f"{path} is damaged or cut off: {why}; get it again") from error
    parts = header.values.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        raise GgufError(f"{path} is one of {parts} parts; join them with llama-gguf-split --merge")
    if (end := header.start + _bytes(path, header)) > size:
        raise GgufError(
            f"{path} is cut off: it has {size} bytes, and its tensors end at byte {end}; get it again"
        )
    return header


def _require_magic(path: Path, found: bytes) -> None:
    if found[:4] != MAGIC:
        raise GgufError(f"{path} is no GGUF file: it begins with {found[:4]!r}, not {MAGIC!r}")
    if len(found) < 24:
        raise GgufError(f"{path} is cut off: it has {len(found)} bytes; get it again")
    (version,) = struct.unpack_from("<I", found, 4)
    if version in VERSIONS:
        return
    if int.from_bytes(found[4:8], "big") in VERSIONS:
        raise GgufError(f"{path} is a GGUF file for big-endian machines, which is not read here")
    known = " and ".join(map(str, VERSIONS))
    raise GgufError(f"{path} is GGUF version {version}; versions {known} are read here")


def _bytes(path: Path, header: Header) -> int:
    """Bytes from the start of the tensors' part to the end of the last one."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    end = 0
    for tensor in header.tensors:
        try:
            block, size = GGML_QUANT_SIZES[GGMLQuantizationType(tensor.kind)]
        except (ValueError, KeyError) as error:
            raise GgufError(
                f"{path}: tensor {tensor.name} is of ggml type {tensor.kind}, which the installed gguf "
                "package does not know; install a newer one, or take another file"
            ) from error
        if math.prod(tensor.shape) % block:
            raise GgufError(
                f"{path} is damaged: tensor {tensor.name} has {math.prod(tensor.shape)} numbers, which "
                f"blocks of {block} do not hold; get it again"
            )
        end = max(end, tensor.offset + math.prod(tensor.shape) // block * size)
    return end


class _DamageError(Exception):
    """What does not fit in a head."""


class _Reader:
    """Walks through a head; every step is checked against the file's end, so that no count is believed."""

    def __init__(self, view: mmap.mmap) -> None:
        self.view = view
        self.at = 8

    def header(self) -> Header:
        tensors, keys = self.number("<Q"), self.number("<Q")
        values: dict[str, Any] = {}
        for _ in range(keys):
            name = self.text()
            values[name] = self.value(self.number("<I"))
        architecture = values.get("general.architecture")
        if not isinstance(architecture, str):
            raise _DamageError("it names no architecture (general.architecture)")
        table = tuple(self.tensor() for _ in range(tensors))
        if not table:
            raise _DamageError("it holds no tensors")
        alignment = values.get("general.alignment", _ALIGNMENT)
        if not isinstance(alignment, int) or alignment <= 0:
            raise _DamageError(f"general.alignment is {alignment!r}")
        return Header(architecture, values, table, -(-self.at // alignment) * alignment)

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        if kind != _ARRAY:
            raise _DamageError(f"a key has a value of the unknown type {kind}")
        kind, count = self.number("<I"), self.number("<Q")
        if kind in _NUMBERS:
            self.skip(count * struct.calcsize(_NUMBERS[kind]))
        elif kind == _STRING:
            for _ in range(count):
                self.skip(self.number("<Q"))
        else:
            raise _DamageError(f"a key has an array of the unknown type {kind}")
        return count

    def tensor(self) -> Tensor:
        name, dimensions = self.text(), self.number("<I")
        if not 1 <= dimensions <= _DIMENSIONS:
            raise _DamageError(f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(self.number("<Q") for _ in range(dimensions))
        return Tensor(name, shape, self.number("<I"), self.number("<Q"))

    def text(self) -> str:
        start = self.at + 8
        self.skip(self.number("<Q"))
        return self.view[start : self.at].decode()

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.view, self.at)
        self.at += struct.calcsize(form)
        return value

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.view):
            raise _DamageError("its head ends too early")
