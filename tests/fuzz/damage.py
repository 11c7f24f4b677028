"""Seeded damage: from good files to files as crashes, editors, other programs and attackers leave them.

Everything is drawn from one ``random.Random``, so an input can be made again from its seed and number.
"""

import json
import random
from collections.abc import Sequence
from typing import Any

DEEP = "@deep@"  # as a value: becomes a list in a list in a list, deeper than any parser follows
LONG = "@long@"  # as a value: becomes a number with more digits than Python reads
WORDS = (
    *("", " ", "x", "\0", "\n", "\ud800", "\u0663", "{}", "{context}", "{input}{context}"),
    *("\u4e2d\u6587", "a" * 5000, "-1", "NaN", "../../x", "<p>", "\\begin{document}", "2024-02-30"),
)
NUMBERS = (0, 1, -1, 1.5, 3.0, 10**30, 10**400, -(2**63), float("nan"), float("inf"), 1e308)
EMPTY: tuple[Any, ...] = (None, True, False, [], {}, [None], [[]], [""], {"a": 1}, {"": None})
TOKENS = (
    *(b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"NaN", b"Infinity", b"1e999", b"null", b"\xff"),
    *(
        b"\xed\xa0\x80",
        b"\\ud800",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\0",
        b"\r",
        b"\n",
        b"\n\n",
        b'"',
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"{}",
        b"{context}",
        b"{input!r}",
        b"{0:{1}}",
        b"<![",
        b"<!--",
    ),
    *(b"\\input{main}", b"\\begin{figure}", b"\x80" * 40, b"PAR1", b"PK\x03\x04", b"\x1f\x8b\x08"),
)


def damaged_bytes(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds after one to four changes anywhere in its bytes."""
    content = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 2, 4))):
        _change(draw, content, seeds)
    return bytes(content)


def _change(draw: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    start = draw.randint(0, len(content))
    end = min(len(content), start + draw.choice((1, 2, 8, 40, 400)))
    kind = draw.randrange(9)
    if kind == 0 and content:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del content[start:end]
    elif kind == 2:
        del content[start:]  # a file that was cut off
    elif kind == 3:
        content[start:start] = content[start:end] * draw.choice((1, 2, 50))
    elif kind == 4:
        content[start:end] = draw.randbytes(draw.randint(0, 12))
    elif kind == 5:
        content[start:end] = bytes(len(content[start:end]))  # a block that never reached the disk
    elif kind == 6:
        other = draw.choice(seeds)
        place = draw.randint(0, len(other))
        content[start:end] = other[place : place + draw.choice((10, 100, 1000))]
    else:
        content[start : start if kind == 7 else end] = draw.choice(TOKENS)


def damaged_json(draw: random.Random, values: Sequence[Any]) -> bytes:
    """The JSON text of one of the values with one to three of its parts changed."""
    value = json.loads(json.dumps(draw.choice(values)))
    for _ in range(draw.choice((1, 1, 2, 3))):
        value = _changed(draw, value)
    text = json.dumps(value, ensure_ascii=draw.random() < 0.7)
    text = text.replace(f'"{DEEP}"', "[" * 3000 + "]" * 3000).replace(f'"{LONG}"', "9" * 5000)
    return text.encode("utf-8", "surrogatepass")


def _changed(draw: random.Random, value: Any) -> Any:
    """The value with one part of it changed; which part is drawn step by step from the top."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        name = draw.choice(list(value))
        kind = draw.randrange(8)
        if kind == 0:
            return {key: each for key, each in value.items() if key != name}
        if kind == 1:
            return value | {draw.choice(WORDS): _new(draw)}
        if kind == 2:
            return value | {name: value[draw.choice(list(value))]}
        return value | {name: _changed(draw, value[name])}
    if isinstance(value, list) and value and draw.random() < 0.85:
        place = draw.randrange(len(value))
        kind = draw.randrange(6)
        if kind == 0:
            return value[:place] + value[place + 1 :]
        if kind == 1:
            return [*value, value[place]]
        return [*value[:place], _changed(draw, value[place]), *value[place + 1 :]]
    if isinstance(value, str) and draw.random() < 0.4:
        place = draw.randint(0, len(value))
        return value[:place] + draw.choice(WORDS) + value[place + draw.choice((0, 1, 20)) :]
    return _new(draw)


def _new(draw: random.Random) -> Any:
    return draw.choice(draw.choice((WORDS, NUMBERS, EMPTY, (DEEP, LONG))))
