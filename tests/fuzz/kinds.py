"""Ways to damage a format: what each needs beyond bytes and JSON."""

import json
import random
import struct
from collections.abc import Callable, Sequence

from tests.fuzz.damage import damaged_bytes, damaged_json

Damage = Callable[[random.Random, Sequence[bytes]], bytes]


def json_file(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A file that is one JSON value: half the time its parts are damaged, else its bytes."""
    if draw.random() < 0.5:
        return damaged_bytes(draw, seeds)
    return damaged_json(draw, [json.loads(draw.choice(seeds))])


def json_lines(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A file of JSON lines: bytes anywhere, or the parts of one line."""
    if draw.random() < 0.4:
        return damaged_bytes(draw, seeds)
    lines = draw.choice(seeds).splitlines()
    place = draw.randrange(len(lines))
    lines[place] = damaged_json(draw, [json.loads(lines[place])])
    if draw.random() < 0.1:
        lines.append(draw.choice(lines))
    return b"\n".join(lines) + b"\n"


def named(damage: Damage) -> Damage:
    """Damage to one of several files: a seed is ``NAME`` and a line end, then that file's content."""

    def damaged(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
        name, _, content = draw.choice(seeds).partition(b"\n")
        return name + b"\n" + damage(draw, [content])

    return damaged


def by_name(**damages: Damage) -> Damage:
    """As ``named``, with the damage that fits the file."""

    def damaged(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
        name, _, content = draw.choice(seeds).partition(b"\n")
        return name + b"\n" + damages[name.decode()](draw, [content])

    return damaged


def safetensors(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """The header's parts (names, shapes, types), or bytes of the data, or bytes anywhere."""
    kind = draw.random()
    content = draw.choice(seeds)
    size = 8 + struct.unpack("<Q", content[:8])[0]
    if kind < 0.2:
        return damaged_bytes(draw, [content])
    if kind < 0.5:
        data = damaged_bytes(draw, [content[size:]])[: len(content) - size]
        return content[:size] + data.ljust(len(content) - size, b"\0")
    header = damaged_json(draw, [json.loads(content[8:size])])
    return struct.pack("<Q", len(header)) + header + content[size:]


def tensor_values(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Whole elements of one tensor replaced, the rest as it was: well-formed files with wrong content."""
    content = bytearray(draw.choice(seeds))
    size = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:size])
    name = draw.choice(sorted(each for each in header if each != "__metadata__"))
    start, end = (size + offset for offset in header[name]["data_offsets"])
    for _ in range(draw.choice((1, 2, 10))):
        place = draw.randrange(start, max(start + 1, end), 2)
        content[place : place + 4] = draw.choice(
            (
                b"\xff\xff\xff\x7f",
                b"\xff\xff\xff\xff",
                b"\0\0\xc0\x7f",
                b"\0\0\0\0",
                draw.randbytes(4),
            )
        )
    return bytes(content[: len(seeds[0])])


def either(*damages: Damage) -> Damage:
    """One of several kinds of damage."""
    return lambda draw, seeds: draw.choice(damages)(draw, seeds)
