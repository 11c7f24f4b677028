"""The leaderboard's site: what is in it, what is refused, and how it behaves in a browser."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cli import report
from tests.bench.reporting.conftest import FULL, run_writer, squeezed
from tests.chromium import Browser, browser

EVIL = "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>"


def write_runs(folder: Path) -> Path:
    """Two subtasks of three runs each; the second has only two of them."""
    write_run = run_writer(folder)
    for subtask in ("niah_single_1", "vt"):
        write_run(FULL, subtask=subtask)
        write_run(squeezed(sparsity=0.9), (1, 1, 0, 0), budget=0.2, subtask=subtask)
    write_run(squeezed(sparsity=0.5), (1, 1, 1, 0), budget=0.6)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return write_runs(tmp_path)


def site(folder: Path, *arguments: str) -> int:
    return report.main([f"results={folder}", f"site={folder / 'site'}", *arguments])


def rows(folder: Path) -> list[dict[str, Any]]:
    """The rows in the page."""
    page = (folder / "site" / "index.html").read_text()
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def submitted(folder: Path, **changes: tuple[int, str]) -> Path:
    """The leaderboard of the records as somebody else's, with cells changed: column=(row, value)."""
    site(folder)
    table = pd.read_csv(folder / "site" / "leaderboard.csv", dtype=str, keep_default_na=False)
    table["model"] = "theirs"
    for column, (row, value) in changes.items():
        table.loc[row - 1, column] = value
    path = folder / "theirs.csv"
    table.to_csv(path, index=False)
    return path


def test_all_rows_are_in_the_page_and_beside_it(runs: Path) -> None:
    assert site(runs) == 0
    assert len(rows(runs)) == len(pd.read_csv(runs / "site" / "leaderboard.csv")) == 5
    assert {row["kv_budget"] for row in rows(runs)} == {1.0, 0.2, 0.6}


def test_rows_of_others_stand_beside_them_or_are_refused_with_a_reason(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = submitted(runs, score=(2, "1.7"), commit=(4, "other"))
    capsys.readouterr()
    assert site(runs, f"merge={path}") == 0
    said = capsys.readouterr().out
    assert f"refused: {path}, row 2: score is '1.7'" in said
    assert f"refused: {path}, row 5: commit abc, but other of its" in said
    assert len(rows(runs)) == 5 + 3
    page = (runs / "site" / "index.html").read_text()
    assert "score is &#39;1.7&#39;" in page


def test_a_refused_dense_row_takes_those_that_lean_on_it_along(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = submitted(runs, n=(1, "none"))
    capsys.readouterr()
    assert site(runs, f"merge={path}") == 0
    said = capsys.readouterr().out
    assert said.count("refused: ") == 3
    assert said.count("no dense row") == 2


def test_submissions_alone_make_a_site(runs: Path, tmp_path: Path) -> None:
    path = submitted(runs)
    elsewhere = tmp_path / "elsewhere"
    assert site(elsewhere, f"merge={path}") == 0
    assert {row["model"] for row in rows(elsewhere)} == {"theirs"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["merge=nowhere.csv", "site=x"], "nowhere.csv: no such file"),
        (["merge=nowhere.csv"], "merge is for a site"),
        (["results=nowhere", "site=x"], "no folder nowhere"),
        ([f"site={__file__}", f"merge={__file__}"], "is a file; expected a folder"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.main(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the runs and of one submission with a hostile name; rows that lean on it are refused."""
    runs = write_runs(tmp_path_factory.mktemp("hostile"))
    assert site(runs, f"merge={submitted(runs, model=(1, EVIL))}") == 0
    return runs / "site" / "index.html"


@pytest.fixture(params=(1280, 390), ids=lambda width: f"{width}px")
def page(hostile: Path, window: Browser, request: pytest.FixtureRequest) -> Browser:
    """The site, opened from its file in a window of that width."""
    window.requests()
    window.open(hostile, request.param)
    return window


def shown(page: Browser) -> int:
    """The number of rows in the table, which the line above it has to say."""
    found = len(page.texts("#rows tbody th"))
    assert page.texts("#count") == [f"{found} of 8 rows"]
    return found


def test_filters_leave_what_they_say_and_the_plot_follows(page: Browser) -> None:
    assert shown(page) == 8
    everything = page.texts("#plot-note")
    page.choose("#model", "mini")
    assert shown(page) == 5
    page.choose("#task", "ruler: vt")
    assert shown(page) == 2
    assert page.run("return document.querySelectorAll('#plot .point').length") == 2
    assert page.texts("#plot-note") != everything
    page.type("#high", "0.5")
    assert shown(page) == 1
    assert page.run("return document.querySelectorAll('#plot .point').length") == 1
    page.click("button[type=reset]")
    assert shown(page) == 8
    page.choose("#length", "1024")
    assert shown(page) == 8
    page.choose("#method", "full")
    assert shown(page) == 4


def test_a_row_opens_what_it_is_from_and_closes_again(page: Browser) -> None:
    page.choose("#model", "mini")
    assert page.texts("tr.origin") == []
    page.click("#rows tbody tr:nth-child(3) button")
    (said,) = page.texts("tr.origin")
    for each in ("commit", "abc", "to repeat it", "minus full", "4 on 2 contexts"):
        assert each in said
    page.click("#rows tbody tr:nth-child(3) button")
    assert page.texts("tr.origin") == []


def test_columns_sort_both_ways(page: Browser) -> None:
    page.choose("#model", "mini")
    for state, ends in (("ascending", "0.200"), ("descending", "1.000")):
        page.click("#rows thead th:nth-child(3) button")
        assert page.run("return document.querySelector('thead th:nth-child(3)').ariaSort") == state
        assert page.texts("#rows tbody td:nth-child(3)")[0] == ends


def test_the_page_asks_nobody_and_runs_no_text_of_others(page: Browser) -> None:
    page.choose("#model", EVIL)
    assert shown(page) == 1
    assert page.run("return document.title") == "Squeezed Attention: leaderboard"
    assert page.run("return document.images.length") == 0
    asked = [each for each in page.requests() if not each.startswith("data:")]
    assert len(asked) == 1
    assert asked[0].endswith("/site/index.html")
    assert page.errors() == []


def test_nothing_is_wider_than_the_window(page: Browser) -> None:
    widths = page.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]
    small = "return [...document.querySelectorAll('form *:is(select, input, button)')]"
    assert page.run(f"{small}.filter((e) => e.getBoundingClientRect().height < 32).length") == 0


def test_where_no_row_is_left_the_page_says_what_to_do(page: Browser) -> None:
    """It told to choose one task, whatever had been chosen."""
    page.choose("#model", "mini")
    page.type("#high", "0.01")
    assert shown(page) == 0
    assert page.texts("#plot") == ["No row has all of this. The button All rows shows them again."]
    page.click("button[type=reset]")
    assert shown(page) == 8


def test_no_text_lies_on_another_or_leaves_the_window(page: Browser) -> None:
    """On a phone the two zeros of the plot met, and the captions of the tables were cut."""
    boxes = page.run(
        "return [...document.querySelectorAll('#plot text')].map((e) => e.getBoundingClientRect())"
        ".map((box) => [box.left, box.right, box.top, box.bottom]);"
    )
    assert len(boxes) > 10
    for one, other in itertools.combinations(boxes, 2):
        apart = one[1] <= other[0] or other[1] <= one[0] or one[3] <= other[2] or other[3] <= one[2]
        assert apart, (one, other)
    ends = page.run(
        "return [...document.querySelectorAll('caption > *')].map((e) => "
        "[e.getBoundingClientRect().right, e.scrollWidth - e.clientWidth]);"
    )
    assert len(ends) == 2
    assert all(right <= page.run("return innerWidth") and over <= 0 for right, over in ends)


def test_the_keyboard_reaches_everything(page: Browser) -> None:
    page.run("document.body.focus()")
    seen = []
    for _ in range(20):
        page.press("\ue004")  # Tab
        seen.append(
            page.run(
                "const e = document.activeElement; return e.id || e.className || e.textContent"
            )
        )
    for each in ("skip", "model", "task", "length", "method", "low", "high", "All rows", "read"):
        assert each in seen
    page.run("document.querySelector('#rows tbody button').focus()")
    page.press("\ue007")  # Enter
    assert len(page.texts("tr.origin")) == 1


def test_a_screen_reader_gets_names_for_all_of_it(page: Browser) -> None:
    nodes = [
        (each["role"]["value"], each.get("name", {}).get("value", ""))
        for each in page.accessibility()
        if "role" in each
    ]
    for role in ("combobox", "spinbutton", "button", "table", "link"):
        assert any(each == role for each, _ in nodes), role
        assert all(name for each, name in nodes if each == role), role
    pictures = [name for role, name in nodes if role in ("image", "img")]
    assert any("Best at their budget" in name for name in pictures)
    assert any(role == "status" for role, _ in nodes)
