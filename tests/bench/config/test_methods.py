"""What is known of methods without the engine is what the engine says."""

import dataclasses
import itertools
from typing import Any

import pytest

import squeezed
from bench.config import methods
from bench.config.errors import InputError
from bench.config.method_settings import build_method
from bench.config.methods import TABLE, described, of_class
from bench.config.schema import IndexConf, MethodConf
from bench.config.values import CHOICES, NUMBERS, STRATEGIES, check_index, check_method

NUMBER_VALUES = (-1, 0, 0.5, 1, 2, 3, 0.999, 1.5)
WHOLE = {each.name for each in dataclasses.fields(MethodConf) if each.type in (int | None, int)}


def test_the_table_is_what_the_classes_say() -> None:
    for name, known in TABLE.items():
        found = of_class(name)
        assert known.parameters == found.parameters == vars(squeezed.METHODS[name]()), name
        assert (known.clustered, known.indexed, known.rule) == (
            *(found.clustered, found.indexed, found.rule),
        )


def test_every_method_of_the_engine_is_known_and_has_a_file() -> None:
    assert set(TABLE) <= set(squeezed.METHODS)
    assert methods._named_in_files() == set(squeezed.METHODS)


def refused_by_the_engine(name: str, parameters: dict[str, Any]) -> bool:
    try:
        build_method(name, tuple(parameters.items()))
    except InputError:
        return True
    return False


def refused_here(name: str, parameters: dict[str, Any]) -> bool:
    try:
        check_method(MethodConf(name=name, **parameters))
    except InputError:
        return True
    return False


def settings() -> list[dict[str, Any]]:
    """Settings of one parameter, and of those that say something together."""
    one: list[dict[str, Any]] = [
        {key: value} for key in NUMBERS for value in NUMBER_VALUES
        if not key.startswith("calibration_") and not (key in WHOLE and value != int(value))
    ]  # fmt: skip
    one += [{key: value} for key, known in CHOICES.items() for value in (*known, "nonsense")]
    one += [{"coarse_sparsity": value} for value in (0.3, 1, -0.1, [0.2], [0.5, 0.2], [0.1, 1.0])]
    sizes = ({"sparsity": 0.5}, {"kv_budget": 0.5}, {"kv_tokens": 9}, {"top_p": 0.5})
    pairs = [first | second for first, second in itertools.combinations(sizes, 2)]
    rules = [{"rule": rule, **size} for rule in CHOICES["rule"] for size in sizes]
    return [*one, *pairs, *rules]


@pytest.mark.parametrize("name", TABLE)
def test_what_the_engine_refuses_is_refused_before_and_nothing_else(name: str) -> None:
    for given in settings():
        own = {key: value for key, value in given.items() if key in described(name).parameters}
        if own != given:
            continue
        depth = {"depth": 2} if isinstance(given.get("coarse_sparsity"), list) else {}
        if depth and len(given["coarse_sparsity"]) != 1:
            depth = {"depth": 3}
        assert refused_here(name, given | depth) == refused_by_the_engine(name, given), given


def test_a_value_that_cannot_be_is_refused_for_a_method_without_the_setting() -> None:
    for given in ({"rule": "nonsense"}, {"page": 0}, {"levels": [0.1, 0.05]}, {"depth": 9}):
        assert refused_here("full", given), given


def test_a_drop_for_each_level_but_the_finest() -> None:
    check_method(MethodConf(depth=3, coarse_sparsity=[0.5, 0.7]))
    with pytest.raises(InputError, match="expected 2"):
        check_method(MethodConf(depth=3, coarse_sparsity=[0.5]))


def test_strategies_are_those_of_the_engine() -> None:
    assert STRATEGIES == squeezed.STRATEGIES
    with pytest.raises(InputError, match=r"index\.strategy"):
        check_index(IndexConf(strategy="sideways"))


def test_a_new_method_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass(frozen=True)
    class Mine(squeezed.Full):
        size: int = 3

    monkeypatch.setitem(squeezed.METHODS, "mine", Mine)
    found = described("mine")
    assert found.settings == ("name", "size")
    assert not found.indexed
    with pytest.raises(InputError, match="did you mean squeezed"):
        described("squezed")
