"""``graph``: the edges of a graph as shuffled lines; neighbours, parents, and what is two steps away."""

import random
from collections.abc import Iterator

from probes import score
from probes.sample import Draw, Kind, Line, Planted, Question, Request, strata
from probes.set import ProbeSet
from probes.text.names import HEX, Maker, code
from rows.row import Row

HEAD = (
    "Below are the edges of a graph, one in a line: an edge leads from the first node to the "
    "second. Read all of them: afterwards you are asked which nodes are connected. Name all of "
    "them, with commas between.\n\n"
)
NODE = 6  # hex digits
KINDS = (Kind("out"), Kind("in"), Kind("two"))
DEGREES = (1, 2, 3, 4)
TEXTS = {
    "out": ("To which nodes does node {} have an edge?", "Node {} has edges to"),
    "in": ("From which nodes does node {} have an edge?", "Node {} has edges from"),
    "two": (
        "Which nodes are reached from node {} by exactly two edges?",
        "Two edges from node {} are",
    ),
}


def star(kind: str, node: str, make: Maker, rng: random.Random) -> tuple[list[str], list[str]]:
    """Edges around a node, and the answer to the question of that kind about it.

    No edge of ``two`` leads back, and no node of it is reached in two ways, so depth has one meaning.
    """
    others = [make() for _ in range(rng.choice(DEGREES[:2] if kind == "two" else DEGREES))]
    if kind == "in":
        return [f"{each} -> {node}" for each in others], others
    edges = [f"{node} -> {each}" for each in others]
    if kind == "out":
        return edges, others
    ends = []
    for each in others:
        found = [make() for _ in range(rng.choice(DEGREES[:2]))]
        edges += [f"{each} -> {end}" for end in found]
        ends += found
    return edges, ends


def draw(request: Request) -> Draw:
    """``count`` nodes of each kind, with edges of their own; one of a node's edges stands in a part of the
    text of its own, the others before it."""
    rng, taken = request.rng(), set[str]()
    make = code(rng, taken, HEX, NODE)
    planted, questions = [], []
    for kind in KINDS:
        for last in strata(request.of(kind), rng):
            node = make()
            edges, answers = star(kind.name, node, make, rng)
            rng.shuffle(edges)
            depths = [*(rng.random() * last for _ in edges[1:]), last]
            planted += [Planted(d, Line(t, (node,))) for d, t in zip(depths, edges, strict=True)]
            text, prefix = (each.format(node) for each in TEXTS[kind.name])
            questions.append(
                Question(
                    kind.name,
                    f"\n{text}\n",
                    prefix,
                    tuple(answers),
                    (node,),
                    hops=2 if kind.name == "two" else 1,
                    gold=", ".join(answers),
                    meta={"several": True},
                )
            )
    return Draw(HEAD, planted, _filler(request, taken), questions)


def _filler(request: Request, taken: set[str]) -> Iterator[Line]:
    """Edges around other nodes, in the same shapes, far apart."""
    rng = request.rng("filler")
    make = code(rng, taken, HEX, NODE)
    waiting: list[str] = []
    while True:
        if len(waiting) < 64:
            for _ in range(32):
                for kind in KINDS:
                    waiting += star(kind.name, make(), make, rng)[0]
            rng.shuffle(waiting)
        yield Line(waiting.pop())


def scores(row: Row, prediction: str) -> dict[str, float]:
    """``official`` as GraphWalks: F1 of the two sets of nodes. ``strict``: all of them, and no other."""
    return {
        "score": score.set_f1(prediction, row.answers),
        "official": score.set_f1(prediction, row.answers),
        "strict": score.set_exact(prediction, row.answers),
    }


SET = ProbeSet(
    name="graph",
    about="all neighbours of a node, along edges, against them, and two steps away (after GraphWalks)",
    floor="0",
    kinds=KINDS,
    draw=draw,
    scores=scores,
    shortest=512,
    options={},
)
