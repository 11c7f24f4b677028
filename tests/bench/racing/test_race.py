"""The race on made-up scores: whom it names, whom it asks, and how often it is wrong."""

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from bench.racing.answers import answer_seconds
from bench.racing.questions import SHARES, looks
from bench.racing.race import Race, Seen, State

CONTEXTS, EACH = 24, 8


@dataclass
class World:
    """Candidates by name: share of the questions that are lost, measured budget, seconds an answer."""

    made: dict[str, tuple[float, float, float]]
    seed: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    stop_at: int | None = None

    def ask(self, names: Sequence[str], look: int) -> dict[str, Seen | str]:
        if look == self.stop_at:
            raise KeyboardInterrupt
        found: dict[str, Seen | str] = {}
        for name in names:
            loss, read, seconds = self.made[name]
            if read > 1:
                found[name] = "its size cannot be met"
                continue
            place = list(self.made).index(name)
            draw = np.random.default_rng([self.seed, place]).random((EACH, CONTEXTS)).ravel()
            count = round(SHARES[look] * len(draw))
            self.asked[name] = count
            contexts = [str(number % CONTEXTS) for number in range(count)]
            found[name] = Seen(-(draw[:count] < loss).astype(float), contexts, read, {1: seconds})
        return found


def raced(
    made: dict[str, tuple[float, float, float]], tolerance: float = 0.05
) -> tuple[Race, World]:
    world = World(made)
    race = Race(list(made), tolerance, len(SHARES))
    race.run(world.ask)
    return race, world


def test_the_smallest_size_that_keeps_the_score_is_named() -> None:
    race, world = raced(
        {
            "good 0.4": (0.0, 0.4, 1.0),
            "good 0.2": (0.0, 0.2, 1.0),
            "good 0.1": (0.5, 0.1, 1.0),
            "bad 0.2": (0.6, 0.2, 0.1),
        }
    )
    assert race.winner == "good 0.2"
    states = {name: each.state for name, each in race.standings.items()}
    assert states["good 0.1"] is states["bad 0.2"] is State.LOSES
    # Few questions for all, more for those that can still be named, none for what reads more.
    first = CONTEXTS
    assert world.asked == {
        "good 0.4": first,
        "good 0.2": 4 * first,
        "good 0.1": first,
        "bad 0.2": first,
    }


def test_of_those_that_read_the_same_the_fastest_is_named() -> None:
    race, _ = raced({"slow": (0.0, 0.2, 3.0), "fast": (0.0, 0.203, 1.0), "more": (0.0, 0.21, 0.1)})
    assert race.winner == "fast"


def test_of_those_that_are_as_fast_the_first_is_named() -> None:
    race, _ = raced({"first": (0.0, 0.2, 1.05), "second": (0.0, 0.199, 1.0)})
    assert race.winner == "first"


@pytest.mark.parametrize(
    ("times", "winner"),
    [
        ({"first": {1: 2.0, 8: 0.2}, "second": {8: 0.3}}, "first"),
        ({"first": {1: 0.2, 8: 0.9}, "second": {8: 0.3}}, "second"),
        ({"first": {1: 2.0}, "second": {8: 0.3}}, "first"),
    ],
)
def test_times_of_different_numbers_of_questions_together_are_not_compared(
    times: dict[str, dict[int, float]], winner: str
) -> None:
    """A part of eight questions that were asked together seemed faster than one that was asked alone."""
    world = World(dict.fromkeys(times, (0.0, 0.2, 1.0)))

    def ask(names: Sequence[str], look: int) -> dict[str, Seen | str]:
        return {
            name: dataclasses.replace(each, seconds=times[name])
            for name, each in world.ask(names, look).items()
            if isinstance(each, Seen)
        }

    race = Race(list(times), 0.05, len(SHARES))
    race.run(ask)
    assert race.winner == winner


def test_an_answers_time_is_its_part_and_stands_by_how_many_were_asked_together() -> None:
    def record(batch: int, prefill: float) -> dict[str, float]:
        return {"batch": batch, "prefill_ms": prefill, "decode_ms_per_token": 10.0, "new_tokens": 4}

    found = answer_seconds([record(8, 360.0)] * 3 + [record(1, 160.0)] * 3)
    assert found == {1: pytest.approx(0.2), 8: pytest.approx(0.05)}
    spoiled = [record(1, 160.0), record(1, 60_000.0)]
    assert answer_seconds(spoiled) == {1: pytest.approx(0.2)}  # it was a negative time


def test_nothing_is_named_where_nothing_is_shown() -> None:
    race, world = raced({"near": (0.05, 0.2, 1.0), "far": (0.9, 0.1, 1.0)})
    assert race.winner is None
    assert race.closest() == "near"
    assert race.standings["near"].state is State.OPEN
    assert world.asked["near"] == CONTEXTS * EACH


def test_one_that_cannot_be_run_stops_nobody() -> None:
    race, _ = raced({"none": (0.0, 2.0, 1.0), "good": (0.0, 0.2, 1.0)})
    assert race.winner == "good"
    assert race.standings["none"].state is State.OUT
    assert race.standings["none"].why == "its size cannot be met"
    race, _ = raced({"none": (0.0, 2.0, 1.0)})
    assert race.winner is None
    assert race.closest() is None


def test_an_interruption_leaves_what_is_known() -> None:
    made = {"good": (0.0, 0.2, 1.0), "bad": (0.9, 0.1, 1.0)}
    world, race = World(made, stop_at=2), Race(list(made), 0.05, len(SHARES))
    with pytest.raises(KeyboardInterrupt):
        race.run(world.ask)
    assert race.standings["good"].look == 1
    assert race.standings["bad"].state is State.LOSES
    assert race.winner is None


def test_many_bad_candidates_and_many_looks_do_not_make_a_good_one() -> None:
    """Every candidate loses a little more than is allowed; without the correction many races name one."""
    wrong, rash = 0, 0
    for seed in range(60):
        made = {f"bad {number}": (0.11, 0.1, 1.0) for number in range(12)}
        world, race = World(made, seed), Race(list(made), 0.1, len(SHARES))
        race.run(world.ask)
        wrong += race.winner is not None
        careless = _Careless(list(made), 0.1, len(SHARES))
        careless.run(World(made, seed).ask)
        rash += careless.winner is not None
    assert wrong / 60 <= 0.05
    assert rash / 60 > 0.1


class _Careless(Race):
    """Every bound by itself."""

    @property
    def risk(self) -> float:
        return 0.05


def test_the_first_look_asks_every_context_once() -> None:
    questions = {f"c{number}": [f"c{number}-q{each}" for each in range(8)] for number in range(6)}
    found = looks(questions, seed=0)
    assert [len(each) for each in found] == [6, 12, 24, 48]
    assert {name.split("-")[0] for name in found[0]} == set(questions)
    for earlier, later in itertools.pairwise(found):
        assert later[: len(earlier)] == earlier
    assert looks(questions, seed=0) == found
    assert set(looks(questions, seed=1)[0]) != set(found[0])


def test_contexts_with_one_question_are_looked_at_in_parts() -> None:
    found = looks({f"c{number}": [f"q{number}"] for number in range(40)}, seed=0)
    assert [len(each) for each in found] == [5, 10, 20, 40]


def test_no_look_has_a_single_question() -> None:
    """It says nothing about other contexts, and ended the race in a traceback."""
    found = looks({f"c{number}": [f"q{number}"] for number in range(8)}, seed=0)
    assert [len(each) for each in found] == [2, 2, 4, 8]
