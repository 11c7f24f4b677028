"""The world of events: a hand-worked story, evidence, and what cannot happen."""

import pytest

from probes.world import Event, World


def told(*events: Event) -> World:
    world = World()
    for number, event in enumerate(events):
        world.tell(number, event)
    return world


def move(who: str, place: str) -> Event:
    return Event(who, "move", whom=place)


ANN = (move("Ann", "den"), move("Bob", "hall"), Event("Ann", "take", "cup"), move("Ann", "loft"))


def test_by_hand() -> None:
    world = told(*ANN)
    assert world.things["cup"][-1].place == "loft"
    assert world.things["cup"][-1].events == (2, 3)
    assert world.before("cup", "loft") == ("den", (0, 2, 3))
    assert world.actors["Bob"].place == "hall"


def test_things_stay_where_they_are_put() -> None:
    world = told(*ANN, Event("Ann", "drop", "cup"), move("Ann", "hall"))
    assert world.things["cup"][-1].place == "loft"
    assert world.things["cup"][-1].events == (2, 3, 4)


def test_gifts_need_both_in_one_place() -> None:
    gift = Event("Ann", "give", "cup", "Bob")
    world = told(*ANN, move("Bob", "loft"), gift, move("Bob", "yard"))
    assert world.gifts["cup"] == [(5, gift)]
    assert world.things["cup"][-1].place == "yard"
    with pytest.raises(ValueError, match="not in one place"):
        told(*ANN, gift)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ((Event("Ann", "take", "cup"),), "nobody knows where Ann is"),
        ((*ANN, Event("Bob", "take", "cup")), "Bob cannot take cup"),
        ((*ANN, Event("Bob", "drop", "cup")), "Bob does not hold cup"),
    ],
)
def test_what_cannot_happen_is_refused(events: tuple[Event, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        told(*events)


def test_a_place_that_recurs_is_no_question() -> None:
    world = told(*ANN, move("Ann", "den"), move("Ann", "loft"))
    with pytest.raises(ValueError, match=r"was in loft at the times \[1, 3\]"):
        world.before("cup", "loft")
    with pytest.raises(ValueError, match="expected once, not first"):
        told(*ANN).before("cup", "den")
