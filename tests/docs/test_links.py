"""Links inside the repository lead somewhere, and code that is quoted is the code."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, without_additions


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            assert re.match(r"https?://[\w.-]+\.\w+(/|$)", link), link
            continue
        target, _, heading = link.partition("#")
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), f"{page}: {link}"
        assert path.resolve().is_relative_to(ROOT), f"{page}: {link}"
        if heading:
            assert heading in anchors(str(path.resolve().relative_to(ROOT))), f"{page}: {link}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, todo = set(), ["README.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        for link in links(page):
            target = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_file():
                name = str(target.relative_to(ROOT))
                todo += [] if name in reached else [name]
    assert set(PAGES) <= reached


@pytest.mark.parametrize("page", PAGES)
def test_quoted_code_is_that_of_the_file(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for name, code in re.findall(r"<!-- from (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL):
        assert code in (ROOT / name).read_text(encoding="utf-8"), f"{page}: {name}"


@pytest.mark.parametrize("page", PAGES)
def test_files_and_folders_named_in_code_exist(page: str) -> None:
    """Paths in single backquotes that begin with a folder of the repository."""
    text = without_additions((ROOT / page).read_text(encoding="utf-8"))
    folders = (
        *(
            "bench",
            "squeezed",
            "kernels",
            "rows",
            "ruler",
            "longbench",
            "prefixqa",
            "probes",
            "conf",
            "docs",
        ),
        *("examples", "findings", "results/reference", "tests"),
    )
    for path in re.findall(rf"`((?:{'|'.join(folders)})/[\w./-]*)`", text):
        base = (ROOT / page).parent if page.startswith("ruler") else ROOT
        assert (base / path).exists() or "NAME" in path, f"{page}: {path}"


def test_no_page_names_a_place_of_a_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/(?:work|home|tmp|root)/", (ROOT / page).read_text()), page


def test_the_drawing_is_well_formed() -> None:
    root = ElementTree.fromstring(Path(ROOT / "docs" / "cluster-order.svg").read_text())
    assert root.tag.endswith("svg")
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
