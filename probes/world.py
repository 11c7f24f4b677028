"""A small world in which things happen in order: where everybody and everything is, and by which
events one knows.

Events that are told are performed, so that no story contradicts itself.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """Something that happens.

    ``what``: ``move`` (``whom`` is a place), ``take``, ``drop`` (``thing``), or ``give`` (``thing`` to
    ``whom``).
    """

    who: str
    what: str
    thing: str = ""
    whom: str = ""


@dataclass(frozen=True)
class Stay:
    """A place, and the numbers of the events by which it is known."""

    place: str
    events: tuple[int, ...]


@dataclass
class World:
    """What is so after the events told.

    Attributes:
        actors: where each of them is. things: where each was, one after another; neighbours differ.
        holders: who holds a thing, and by which event. taken: what each actor took, in order.
        gifts: of each thing, in order: the event's number and the event.
    """

    actors: dict[str, Stay] = field(default_factory=dict)
    things: dict[str, list[Stay]] = field(default_factory=dict)
    holders: dict[str, tuple[str, int]] = field(default_factory=dict)
    taken: dict[str, list[str]] = field(default_factory=dict)
    gifts: dict[str, list[tuple[int, Event]]] = field(default_factory=dict)

    def tell(self, number: int, event: Event) -> None:
        """Performs an event.

        Raises:
            ValueError: it cannot happen: somebody is nowhere, holds nothing, or is elsewhere.
        """
        if event.what == "move":
            self.actors[event.who] = Stay(event.whom, (number,))
            for thing, (holder, _) in self.holders.items():
                if holder == event.who:
                    self._stays(thing)
            return
        here = self._place(event.who)
        if event.what == "take":
            stays = self.things.get(event.thing)
            if event.thing in self.holders or (stays and stays[-1].place != here):
                raise ValueError(f"{event.who} cannot take {event.thing} in {here}")
            self.holders[event.thing] = (event.who, number)
            self.taken.setdefault(event.who, []).append(event.thing)
            self._stays(event.thing)
            return
        if self.holders.get(event.thing, ("",))[0] != event.who:
            raise ValueError(f"{event.who} does not hold {event.thing}")
        if event.what == "drop":
            last = self.things[event.thing][-1]
            self.things[event.thing][-1] = Stay(last.place, (*last.events, number))
            del self.holders[event.thing]
            return
        if self._place(event.whom) != here:
            raise ValueError(f"{event.who} and {event.whom} are not in one place")
        self.holders[event.thing] = (event.whom, number)
        self.gifts.setdefault(event.thing, []).append((number, event))

    def _place(self, actor: str) -> str:
        if actor not in self.actors:
            raise ValueError(f"nobody knows where {actor} is")
        return self.actors[actor].place

    def _stays(self, thing: str) -> None:
        """Notes that a thing is where its holder is."""
        holder, taken = self.holders[thing]
        at = self.actors[holder]
        stays = self.things.setdefault(thing, [])
        stay = Stay(at.place, (taken, *at.events))
        if stays and stays[-1].place == at.place:
            stays[-1] = stay
        else:
            stays.append(stay)

    def before(self, thing: str, place: str) -> tuple[str, tuple[int, ...]]:
        """Where a thing was just before it was in ``place``, and the events by which one knows.

        Raises:
            ValueError: it was there not once but several times, or first, so there is no one answer.
        """
        stays = self.things[thing]
        found = [number for number, stay in enumerate(stays) if stay.place == place]
        if len(found) != 1 or found[0] == 0:
            raise ValueError(
                f"{thing} was in {place} at the times {found}; expected once, not first"
            )
        before, there = stays[found[0] - 1], stays[found[0]]
        return before.place, tuple(sorted({*before.events, *there.events}))
