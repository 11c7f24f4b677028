"""Records and graphs: hand-worked examples; answers told anew from the text; densities."""

import re
from collections import Counter
from typing import Any

import pytest

from probes import score
from probes.find import sets
from probes.generate import generate
from rows.row import Row

KEEPER = re.compile(r"keeper (\w+)")


def row(*answers: str) -> Row:
    return Row("1", "probes", "records", "context", "?", "", list(answers), 8, {})


def test_by_hand() -> None:
    # Records (A, x, 2), (A, y, 3), (B, x, 5): A has 2, x sums to 7, the largest is 5.
    scores = sets()["records"].scores
    assert scores(row("2"), " 2.\n")["score"] == 1
    assert scores(row("7"), " 5") == {"score": 0, "official": 0.75**2, "strict": 0}
    assert scores(row("5"), " five")["official"] == 0
    assert scores(row("5"), " 9999999")["official"] < 0.001
    # Edges a -> b, c -> b: b has the parents a and c.
    graph = sets()["graph"].scores
    assert graph(row("a1", "c1"), " c1, a1\nd1")["strict"] == 1
    assert graph(row("a1", "c1"), " a1")["official"] == pytest.approx(2 / 3)
    assert score.set_f1("", ["a"]) == 0


def table(context: str) -> list[list[str]]:
    return [line[1:].split(" | ") for line in context.splitlines() if line.startswith("#")]


@pytest.mark.parametrize(("length", "lead"), [(8192, 2), (32768, 2), (32768, 3)])
def test_answers_follow_from_the_records(tokenizer: Any, length: int, lead: int) -> None:
    for each in generate("records", tokenizer, length, 1, 13, options={"lead": lead}):
        records, kind = table(each.context), each.meta["kind"]
        assert len({number for number, *_ in records}) == len(records)
        if kind in ("count", "sum"):
            (keeper,) = KEEPER.findall(each.question)
            (goods,) = re.findall(r"about (\w+)|amounts of (\w+)", each.question)
            of = "".join(goods)
            found = [
                int(amount) for _, who, what, _, amount in records if (who, what) == (keeper, of)
            ]
            answer = str(len(found) if kind == "count" else sum(found))
            assert len(found) == each.meta["evidence_lines"]
        else:
            (depot,) = re.findall(r"depot (\w+)\?", each.question)
            here = [record for record in records if record[3] == depot]
            assert each.meta["evidence_lines"] == len(here)
            amounts = Counter(int(amount) for *_, amount in here)
            goods_here = Counter(what for _, _, what, _, _ in here).most_common(2)
            if kind == "max":
                answer = str(max(amounts))
                assert amounts[max(amounts)] == 1
            else:
                answer = goods_here[0][0]
                assert len(goods_here) == 1 or goods_here[0][1] > goods_here[1][1]
        assert each.answers == [answer]


def test_one_context_has_all_densities(tokenizer: Any) -> None:
    rows = list(generate("records_max", tokenizer, 65536, 1, 6))
    found = sorted(each.meta["density"] for each in rows)
    for density, share in zip(found, (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2), strict=True):
        assert density == pytest.approx(share, rel=0.35)


def test_counts_are_equally_frequent(tokenizer: Any) -> None:
    rows = list(generate("records_count", tokenizer, 16384, 1, 26))
    assert set(Counter(each.answers[0] for each in rows).values()) == {2}


def test_answers_follow_from_the_edges(tokenizer: Any) -> None:
    for each in generate("graph", tokenizer, 16384, 2, 10):
        edges = re.findall(r"^(\w+) -> (\w+)$", each.context, re.MULTILINE)
        assert len(set(edges)) == len(edges)
        (node,) = re.findall(r"node (\w{6})", each.question)
        there = [b for a, b in edges if a == node]
        found = {
            "out": there,
            "in": [a for a, b in edges if b == node],
            "two": [b for a, b in edges if a in there],
        }[each.meta["kind"]]
        assert sorted(each.answers) == sorted(found)
        if each.meta["kind"] == "two":
            assert not {node, *there} & set(found)  # no shorter way
