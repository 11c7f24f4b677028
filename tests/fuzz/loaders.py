"""Every loader of the suite that reads what others wrote, with good inputs to begin from."""

from collections.abc import Sequence

from tests.fuzz import gguf, index, longbench, markup, prefixqa, results, ruler
from tests.fuzz.harness import Loader

LOADERS: tuple[Loader, ...] = (
    *results.LOADERS,
    *ruler.LOADERS,
    *longbench.LOADERS,
    *prefixqa.LOADERS,
    *markup.LOADERS,
    *index.LOADERS,
    *gguf.LOADERS,
)


def shares(total: int, loaders: Sequence[Loader] = LOADERS) -> list[tuple[Loader, int]]:
    """How many of at least ``total`` inputs each loader gets."""
    parts = sum(each.share for each in loaders)
    return [(each, -(-total * each.share // parts)) for each in loaders]
