"""The look of every method: colour and marker say which it is, line and filling how deep its hierarchy is.

A method looks the same in every figure. Those that are known have a look of their own here; another name,
also of a variant, gets one that its own letters decide, from colours and markers that no known method has.
"""

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.reporting.variants import DENSE

# Okabe and Ito's colours, which colour-blind readers can tell apart; marker and dashes say it again.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PINK = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
)
GREY, BROWN = "#777777", "#8B5A2B"


@dataclass(frozen=True)
class Look:
    """How one method is drawn. ``line`` and ``filling``: as matplotlib's linestyle and fillstyle."""

    colour: str
    marker: str
    line: str = "-"
    filling: str = "full"

    def drawn(self) -> dict[str, Any]:
        """As arguments of matplotlib's ``plot``."""
        look = {"color": self.colour, "marker": self.marker, "linestyle": self.line}
        return {**look, "fillstyle": self.filling, "markerfacecoloralt": "white"}


DENSE_LOOK = Look(BLACK, "", "--")
KNOWN: dict[str, tuple[str, str]] = {  # by label: colour and marker
    "squeezed topk": (BLUE, "o"),
    "squeezed threshold": (RED, "s"),
    "squeezed topp": (ORANGE, "P"),
    "squeezed topk, residual=True": ("#333333", "*"),
    "squeezed threshold, scope=layer": (RED, "v"),
    "squeezed threshold, scope=head": (RED, "^"),
    "squeezed threshold, calibration_inputs=3": (PINK, "s"),
    "squeezed threshold, calibration_inputs=6": (PINK, "p"),
    "squeezed threshold, calibration_pieces=6": (PINK, "d"),
    "oracle topk": (GREEN, "^"),
    "oracle threshold": (GREEN, "v"),
    "oracle topp": (GREEN, "<"),
    "quest topk": (ORANGE, "X"),
    "quest threshold": (ORANGE, "d"),
    "quest topp": (ORANGE, "*"),
    "streaming": (PINK, "D"),
    "snapkv": (SKY, "<"),
    "snapkv, observe=input": (SKY, ">"),
    "h2o": (BROWN, "p"),
    "random": (GREY, "h"),
}
# Paul Tol's muted and light colours, as safe as the others; no known method has one of them.
FREE_COLOURS = (
    *("#882255", "#999933", "#332288", "#44AA99", "#AA4499", "#117733"),
    *("#CC6677", "#DDCC77", "#6699CC", "#661100", "#88CCEE"),
)
FREE_MARKERS = "osDPX^v<>dphH8*"  # all that can be filled in part
FREE = tuple((colour, marker) for marker in FREE_MARKERS for colour in FREE_COLOURS)
DEPTH = re.compile(r" depth (\d+)")
DEPTHS = {1: ("-", "full"), 2: ("--", "none"), 3: (":", "left"), 4: ("-.", "bottom")}


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for each label of ``bench.reporting.variants.labels``, no two of them alike.

    A name's look depends on others only where their letters choose the same free one: then the name that
    comes later in the alphabet takes the next.
    """
    parts = {name: _parts(name) for name in names if name != DENSE}
    bases: dict[str, tuple[str, str]] = {}
    for base in sorted({base for base, _ in parts.values()} - set(KNOWN)):
        start = zlib.crc32(base.encode()) % len(FREE)
        free = (*FREE[start:], *FREE[:start])
        bases[base] = next((each for each in free if each not in bases.values()), free[0])
    chosen = {
        name: Look(*(KNOWN.get(base) or bases[base]), *DEPTHS[depth])
        for name, (base, depth) in parts.items()
    }
    return {DENSE: DENSE_LOOK, **chosen}


def _parts(name: str) -> tuple[str, int]:
    """A label without its depth, and the depth; one without a look of its own stays in the label."""
    found = DEPTH.search(name)
    depth = int(found[1]) if found else 1
    return (DEPTH.sub("", name, count=1), depth) if depth in DEPTHS else (name, 1)
