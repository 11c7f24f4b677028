"""Every method has a look of its own, the same in every figure."""

import dataclasses
import itertools

import pytest

import squeezed
from bench.reporting.figures.looks import DENSE_LOOK, KNOWN, looks

RULES = ("", " threshold", " topk", " topp")
DEPTHS = ("", " depth 2", " depth 3")
NAMES = [
    f"{method}{rule}{depth}"
    for method, rule, depth in itertools.product(squeezed.METHODS, RULES, DEPTHS)
]


def test_no_two_methods_look_alike() -> None:
    found = looks(NAMES)
    assert len(set(found.values())) == len(found) == len(NAMES)
    assert found["full"] == DENSE_LOOK


def test_known_variants_differ_too() -> None:
    names = [f"{name}{depth}" for name in KNOWN for depth in ("", " depth 2")]
    found = looks([*names, *(f"squeezed topk, block={i}" for i in range(30))])
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("name", ["mine", "mine topk", "pyramid", "squeezed topk, window=50"])
def test_a_new_method_is_not_drawn_as_another(name: str) -> None:
    look = looks([name])[name]
    assert look.colour not in {colour for colour, _ in KNOWN.values()}
    assert look.marker
    assert looks([name, "quest topk", *KNOWN])[name] == look  # whatever else is in the figure


def test_depth_is_told_by_line_and_filling() -> None:
    for name in ("squeezed topk", "mine"):
        deep = [name, f"{name} depth 2", f"{name} depth 3"]
        flat, two, three = (looks(deep)[each] for each in deep)
        assert len({flat.line, two.line, three.line}) == 3
        assert len({flat.filling, two.filling, three.filling}) == 3  # one point has no line
        assert {flat.colour} == {two.colour} == {three.colour}
        assert {flat.marker} == {two.marker} == {three.marker}


def test_the_depth_of_a_variant_is_no_part_of_its_name() -> None:
    name = "squeezed topk, residual=True"
    deep = "squeezed topk depth 2, residual=True"
    flat, two = (looks([each])[each] for each in (name, deep))
    assert two == dataclasses.replace(flat, line=two.line, filling=two.filling) != flat
