"""What is read from the packages."""

from pathlib import Path

import pytest

from rows.download import MissingDataError
from tests.packages import COUNTRIES, SENTENCE, install
from texts import catalogue, stdlib


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path, monkeypatch)


def test_essays_are_prose_without_marks_links_and_lists(cache: Path) -> None:
    found = catalogue.load("anarchism")
    assert [each.name for each in found.documents] == ["secA1", "secA2", "secB1"]
    first = found.documents[0]
    assert first.title == "Of weirs, part 0"
    paragraphs = first.text.split("\n\n")
    assert paragraphs[0] == '"A weir is older than its keeper." [The Book of Weirs, p. 12]'
    assert paragraphs[1].startswith(SENTENCE.format(n=0) + " " + SENTENCE.format(n=1))
    assert len(paragraphs) == 16
    assert found.pin.startswith("anarchism 15.3-3 sha256:")


def test_books_are_cut_where_the_verses_say(cache: Path) -> None:
    books = catalogue.load("bible").documents
    assert [(each.name, each.title) for each in books] == [
        ("genesis", "Genesis"),
        ("samuel_1", "Samuel 1"),
    ]
    wanted = [f"And it came to pass in verse {n}." for n in range(6)]
    assert [each.text.split("\n\n") for each in books] == [wanted[:3], wanted[3:]]


def test_profiles_are_those_of_countries(cache: Path) -> None:
    profiles = catalogue.profiles()
    assert len(profiles) == COUNTRIES
    facts = {fact.field.label: fact.value for fact in profiles[3].facts}
    assert facts == {
        "capital": "Town3",
        "population": "53,702",
        "total area": "1021 sq km",
        "value of the exports": "$103.5 million",
    }
    assert ("Climate", "mild; ; wet in spring") in profiles[3].prose
    text = catalogue.load("factbook").documents[3].text
    assert text.startswith("## Land 3\n\nThe capital of Land 3 is Town3.")


def test_a_damaged_package_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = catalogue.TEXTS["factbook"].package
    assert package is not None
    path = cache / package.file
    path.write_bytes(path.read_bytes()[:200])
    monkeypatch.setattr("texts.catalogue.fetched", lambda _: path)
    with pytest.raises(MissingDataError, match=r"damaged .*; delete it") as caught:
        catalogue.profiles()
    assert "\n" not in str(caught.value)


def test_code_keeps_its_lines_and_leaves_out_tests(tmp_path: Path) -> None:
    body = "def f(x):\n\n    return x   \n" * 20
    for name in ("a.py", "b/c.py", "test/d.py", "b/tests/e.py", "tiny.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("x = 1\n" if name == "tiny.py" else body)
    found = stdlib.documents(tmp_path)
    assert [each.name for each in found] == ["a", "b.c"]
    assert found[0].text.splitlines()[:4] == ["def f(x):", "", "    return x", "def f(x):"]
    with pytest.raises(ValueError, match="not in"):
        stdlib.documents(tmp_path / "nowhere")


def test_the_installed_library_is_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    found = catalogue.load("stdlib")
    assert {"argparse", "json.decoder"} <= {each.name for each in found.documents}
    assert found.pin.startswith("python 3.")


def test_other_content_has_another_fingerprint(cache: Path) -> None:
    prints = {seed: catalogue.load("factbook", seed).fingerprint for seed in (None, "0", "1")}
    assert len(set(prints.values())) == 3
    assert prints["0"] == catalogue.load("factbook", "0").fingerprint


def test_an_unknown_text_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="unknown text 'bibel'; known: anarchism, bible, factbook"):
        catalogue.load("bibel")
