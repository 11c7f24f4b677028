"""Settings of ``squeezed-bench lookups``."""

from dataclasses import dataclass
from pathlib import Path

from bench.config.errors import InputError
from bench.config.plain import setting


@dataclass(frozen=True)
class Settings:
    """Settings of the command."""

    lengths: list[int] = setting([4096, 16384, 65536, 262144], "keys of a KV head")
    heads: list[str] = setting(
        ["9/3", "32/8"], "query heads and KV heads; the first are SmolLM2's, of 64 numbers each"
    )
    sizes: list[int] = setting([64, 128], "of a head, one for each of heads")
    threads: int = setting(1, "of the processor")
    seconds: float = setting(3.0, "for a line together; 5 rounds at least, 60 at most")
    results: Path = setting(Path("results"), "folder of results; the table goes below its tables")


def shapes(settings: Settings) -> list[tuple[int, int, int]]:
    """Query heads, KV heads and head size of each shape.

    Raises:
        InputError: heads that are none, or not as many sizes.
    """
    found = []
    for each in settings.heads:
        query, _, kv = each.partition("/")
        if not (query.isdecimal() and kv.isdecimal() and int(kv) and int(query) % int(kv) == 0):
            raise InputError(f"heads has {each!r}; expected query heads/KV heads, as 32/8")
        found.append((int(query), int(kv)))
    if len(found) != len(settings.sizes) or not found:
        raise InputError(f"sizes is {settings.sizes}; expected one size for each of heads")
    return [(*each, size) for each, size in zip(found, settings.sizes, strict=True)]
