"""Which pairs a person reads: some of a half that nobody looks at while the rules are written."""

import random
import zlib
from collections.abc import Sequence

from prefixqa.document import Pair

TO_READ = 50
SEED = 27  # another one for every reading
# Checksums of sentences that were read at the draws before this one: rules may have been made for them.
READ_BEFORE: frozenset[int] = frozenset(
    [
        42459561, 57932363, 101710729, 102932803, 112620713, 211734981, 216258209, 241059957,
        278791413, 280931161, 480578475, 486781063, 489493961, 490437523, 575464575, 582211501,
        629864655, 666284295, 666937605, 691494105, 706769535, 823393185, 885407655, 888503535,
        947262809, 954925623, 1239443687, 1260102761, 1284989617, 1304329741, 1305103035, 1313299401,
        1317752147, 1432122233, 1456778121, 1458587911, 1627008143, 1762135397, 1770598707, 1839428021,
        1847393985, 1909843565, 1952301165, 1973578445, 1989424689, 2000810139, 2077561649, 2220226913,
        2226724563, 2256253717, 2414159663, 2421195923, 2450113369, 2452761839, 2465441949, 2546855049,
        2558850855, 2580461125, 2613900705, 2700410557, 2700753717, 2754805935, 2785063789, 2815680791,
        2835621373, 2839257715, 2894256209, 2912338797, 2937975075, 3015740425, 3031602115, 3089957371,
        3150577135, 3226163423, 3238044143, 3280600269, 3373124905, 3431669387, 3432681271, 3437263985,
        3461562885, 3482019371, 3488583887, 3574381029, 3600356709, 3616576319, 3677460001, 3768617123,
        3812986177, 3832714749, 3838689219, 3897167851, 3899451117, 3946939437, 3976977593, 4049892223,
        4060842489, 4077214699, 4120477557, 4125233999, 4277948945,
    ]
)  # fmt: skip


def _checksum(pair: Pair) -> int:
    return zlib.crc32(pair.evidence[0].text.encode())


def held_out(pair: Pair) -> bool:
    """Whether a pair's sentence is of the held-out half, and was not read before."""
    return _checksum(pair) % 2 == 1 and _checksum(pair) not in READ_BEFORE


def to_read(every: Sequence[tuple[str, Pair]]) -> str:
    """Pairs for a person to judge, drawn from those of all documents alike that are held out.

    Args:
        every: names of documents, and a pair of each.
    """
    left = [each for each in every if held_out(each[1])]
    chosen = random.Random(SEED).sample(left, min(TO_READ, len(left)))
    return "\n\n".join(
        f"{number}. [{name}, {pair.type}] {pair.question}\n   -> {pair.answers[0]}"
        for number, (name, pair) in enumerate(chosen, start=1)
    )
