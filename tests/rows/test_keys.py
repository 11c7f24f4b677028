"""Keys of a command line: which are known, which was meant, and values that Hydra takes as they are."""

from dataclasses import dataclass, field

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from rows.keys import is_text, keys_of, meant, quoted


@dataclass
class Inner:
    name: str | None = None
    size: int = 1


@dataclass
class Outer:
    out: str = ""
    inner: Inner = field(default_factory=Inner)


KEYS = keys_of(Outer)
BENT = [
    *(
        "~/m",
        "a=b",
        "x#1",
        "1e5",
        "1234e56",
        "two words",
        "a,b",
        "back\\slash",
        "end\\",
        'say "so"',
    ),
    *(
        "it's",
        "{prompt} x",
        "[x]",
        "true",
        "a:b",
        "$HOME",
        "naïve",
        "%41",
        "(x",
        "choice",
        '\\\\"',
        "",
    ),
]


def test_keys_inside_a_dataclass_have_a_dot() -> None:
    assert list(KEYS) == ["out", "inner.name", "inner.size"]
    assert [is_text(kind) for kind in KEYS.values()] == [True, True, False]


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("inner.nam", "inner.name"),
        ("size", "inner.size"),
        ("innr.size", "inner.size"),
        ("otu", "out"),
        ("inner.colour", None),
        ("zzz", None),
    ],
)
def test_what_was_meant(word: str, name: str | None) -> None:
    assert meant(word, KEYS) == (f"; did you mean {name}?" if name else "")


@pytest.mark.parametrize("value", BENT)
def test_a_text_reaches_the_setting_as_it_was_written(value: str) -> None:
    argument = quoted(f"out={value}", KEYS, several=False, whole=())
    (found,) = OverridesParser.create().parse_overrides([argument])
    assert found.value() == value


def test_in_a_sweep_commas_stand_between_values_except_in_a_folder() -> None:
    assert quoted("inner.name=a b,null,x#1", KEYS, several=True, whole=()) == (
        'inner.name="a b",null,"x#1"'
    )
    assert quoted("out=a,b", KEYS, several=True, whole=("out",)) == 'out="a,b"'


@pytest.mark.parametrize(
    "argument",
    [
        "inner.size=1,2",
        "inner.name=null",
        "out='quoted'",
        "out=${inner.name}",
        "out=choice(a,b)",
        "out",
    ],
)
def test_what_is_no_plain_text_is_left_as_it_is(argument: str) -> None:
    assert quoted(argument, KEYS, several=False, whole=()) == argument
