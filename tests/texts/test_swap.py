"""Values move between countries of like size, and only the text tells them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages import install
from texts import catalogue, profile
from texts.factbook import FIELDS, Fact, Profile
from texts.swap import ALIKE, swapped

CAPITAL, POPULATION = FIELDS[:2]


def land(n: int, capital: str = "") -> Profile:
    capital = capital or f"Town{n}"
    facts = (Fact(CAPITAL, capital, capital), Fact(POPULATION, f"{n}00", f"{n}00"))
    return Profile(f"c{n:02d}", f"Land {n}", 100 * n, facts, (("Climate", "mild"),))


def test_every_value_goes_to_another_country_of_like_size() -> None:
    lands = [land(n) for n in range(1, 3 * ALIKE + 5)]
    moved = swapped(lands, "0")
    for before, after in zip(lands, moved, strict=True):
        assert (before.code, before.prose) == (after.code, after.prose)
        for old, new in zip(before.facts, after.facts, strict=True):
            assert new.true == old.value != new.value
        giver = int(after.facts[0].value.removeprefix("Town"))
        assert abs(giver - before.people // 100) < ALIKE + 5
    for place in (0, 1):
        values = sorted(each.facts[place].value for each in lands)
        assert sorted(each.facts[place].value for each in moved) == values
    givers = [{fact.value.strip("Town0") for fact in each.facts} for each in moved]
    assert sum(len(each) > 1 for each in givers) > len(lands) // 2  # fields move one by one


def test_another_seed_swaps_otherwise() -> None:
    lands = [land(n) for n in range(1, 30)]
    assert swapped(lands, "0") == swapped(lands, "0") != swapped(lands, "1")


def test_two_countries_swap_with_each_other() -> None:
    moved = swapped([land(1), land(2)], "0")
    assert [each.facts[0].value for each in moved] == ["Town2", "Town1"]


def test_facts_stand_where_the_text_has_them() -> None:
    text, placed = profile.laid_out(swapped([land(1), land(2)], "0"))
    assert text.startswith("## Land 1\n\nThe capital of Land 1 is Town2.")
    assert [text[each.start : each.end] for each in placed] == [
        "The capital of Land 1 is Town2.",
        "The population of Land 1 is 200.",
        "The capital of Land 2 is Town1.",
        "The population of Land 2 is 100.",
    ]
    assert all(each.fact.value in text[slice(*each.own)] for each in placed)


def test_what_may_be_known_or_found_elsewhere_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch)
    profiles = catalogue.profiles("0")
    text, placed = profile.laid_out(profiles)
    asked = {(each.profile.name, each.fact.field.label) for each in profile.told(text, placed)}
    # The prose of Land 7 names its true capital; so that is told twice, and wherever it went too.
    assert ("Land 7", "capital") not in asked
    taker = next(p.name for p in profiles for f in p.facts if f.value == "Town7")
    assert (taker, "capital") not in asked
    assert len(asked) == len(placed) - 2
    true_ones, own = profile.laid_out(catalogue.profiles())
    assert profile.told(true_ones, own) == []


@pytest.mark.parametrize(
    ("value", "text", "count"),
    [
        ("10 km", "it is 10 km.", 1),
        ("10 km", "it is 110 km, or 10 kms, or 3,10 km", 0),
        ("5", "5, 5.5 and 5", 2),
        ("Town1", "town1 and town10", 1),
        ("$5 million", "$5 million and us$5 million", 1),
    ],
)
def test_values_are_found_as_whole_words(value: str, text: str, count: int) -> None:
    assert profile.occurrences(value, text) == count


SCRIPT = """
import hashlib, sys
from tests.texts.test_swap import land
from texts.profile import laid_out
from texts.swap import swapped
text, _ = laid_out(swapped([land(n) for n in range(1, 60)], "3"))
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_processes_agree() -> None:
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    found = set()
    for salt in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout.strip())
    text, _ = profile.laid_out(swapped([land(n) for n in range(1, 60)], "3"))
    assert found == {hashlib.sha256(text.encode()).hexdigest()}
