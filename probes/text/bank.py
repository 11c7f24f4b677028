"""2,000 questions with four options each, made from templates of our own; the letters are balanced."""

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from probes.text.words import listed

LETTERS = "ABCD"
EACH = 400  # of a kind
DAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
UNITS = (
    *(
        ("minutes", "hours", 60),
        ("hours", "days", 24),
        ("days", "weeks", 7),
        ("months", "years", 12),
    ),
    *(("centimetres", "metres", 100), ("grams", "kilograms", 1000), ("pieces", "dozens", 12)),
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MEMBERS = {
    "a bird": listed("heron robin sparrow eagle owl swan crow finch stork gull"),
    "a fish": listed("trout salmon cod herring carp perch pike tuna eel sole"),
    "a tree": listed("oak birch willow maple pine cedar elm larch beech poplar"),
    "a fruit": listed("apple pear plum cherry peach grape mango melon fig quince"),
    "a tool": listed("hammer saw chisel pliers wrench drill rasp axe spade file"),
    "a metal": listed("iron copper zinc tin lead nickel cobalt silver gold chromium"),
    "a colour": listed("red blue green yellow purple orange brown pink grey white"),
    "a vehicle": listed("bus tram lorry bicycle van ferry tractor scooter train canoe"),
}


@dataclass(frozen=True)
class Item:
    """A question with its options in one line, and the letter of the right one."""

    text: str
    letter: str


@functools.cache
def bank() -> tuple[Item, ...]:
    """All items, in an order that never changes: 500 with each letter."""
    rng = random.Random("bank")
    found: dict[str, Item] = {}
    for make in (_arithmetic, _calendar, _unit, _alphabet, _member):
        made = 0
        while made < EACH:
            question, right, wrong = make(rng)
            letter = LETTERS[made % len(LETTERS)]
            options = rng.sample(wrong, 3)
            options.insert(LETTERS.index(letter), right)
            shown = " ".join(f"{a}) {b}" for a, b in zip(LETTERS, options, strict=True))
            item = Item(f"{question} {shown}", letter)
            if item.text not in found:
                found[item.text] = item
                made += 1
    items = list(found.values())
    rng.shuffle(items)
    return tuple(items)


def balanced(rng: random.Random) -> Iterator[Item]:
    """All items once in a random order, each letter in turn."""
    by_letter = [[item for item in bank() if item.letter == letter] for letter in LETTERS]
    for items in by_letter:
        rng.shuffle(items)
    for four in zip(*by_letter, strict=True):
        yield from rng.sample(four, len(four))


Made = tuple[str, str, list[str]]  # question, right option, wrong ones


def _numbers(right: int, rng: random.Random) -> Made:
    steps = (-20, -11, -10, -2, -1, 1, 2, 10, 11, 20)
    return "", str(right), [str(right + step) for step in rng.sample(steps, 6) if right + step > 0]


def _arithmetic(rng: random.Random) -> Made:
    one, other = rng.randint(12, 99), rng.randint(12, 99)
    if rng.random() < 0.5:
        return (f"What is {one} + {other}?", *_numbers(one + other, rng)[1:])
    low, high = sorted((one, other))
    return (f"What is {high + 40} - {low}?", *_numbers(high + 40 - low, rng)[1:])


def _calendar(rng: random.Random) -> Made:
    start, days = rng.randrange(7), rng.randint(2, 90)
    right = DAYS[(start + days) % 7]
    question = f"Which weekday is {days} days after a {DAYS[start]}?"
    return question, right, [day for day in DAYS if day != right]


def _unit(rng: random.Random) -> Made:
    small, large, each = rng.choice(UNITS)
    count = rng.randint(2, 99)
    return (f"How many {small} are {count} {large}?", *_numbers(count * each, rng)[1:])


def _alphabet(rng: random.Random) -> Made:
    first, second = sorted(rng.sample(range(26), 2))
    right, way = (second, "after") if rng.random() < 0.5 else (first, "before")
    start = first if way == "after" else second
    question = f"Which letter stands {second - first} places {way} {ALPHABET[start]}?"
    near = [
        ALPHABET[each] for each in range(max(0, right - 4), min(26, right + 5)) if each != right
    ]
    return question, ALPHABET[right], near


def _member(rng: random.Random) -> Made:
    kind = rng.choice(list(MEMBERS))
    others = [word for name, words in MEMBERS.items() if name != kind for word in words]
    return f"Which of these is {kind}?", rng.choice(MEMBERS[kind]), rng.sample(others, 3)
