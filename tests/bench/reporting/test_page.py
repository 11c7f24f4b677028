"""The page: what it says, that everything is in it, and nothing from outside is taken for HTML."""

import html.parser
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench.cli import report
from bench.reporting.page import cells
from bench.reporting.page.cells import COLUMNS, ROWS
from tests.bench.reporting.conftest import FULL, run_writer, squeezed

Write = Callable[..., Path]
STREAMING = {"name": "streaming", "sparsity": 0.9}


class Reader(html.parser.HTMLParser):
    """Headings with their levels, attributes of every tag by its name, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self.text = ""
        self.open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open = tag
        if re.fullmatch(r"h\d", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        self.open = ""

    def handle_data(self, data: str) -> None:
        if self.open != "style":
            self.text += data
        if re.fullmatch(r"h\d", self.open):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(folder: Path) -> Reader:
    """The page of the runs in a folder, which is made."""
    assert report.main([f"results={folder}", f"out={folder / 'out'}", "formats=tex"]) == 0
    return read(folder)


def read(folder: Path) -> Reader:
    """The page that was made in a folder."""
    return Reader((folder / "out" / "report.html").read_text())


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on full attention, three sizes of Squeezed, and two of StreamingLLM."""
    folder = tmp_path_factory.mktemp("sweep")
    write_run = run_writer(folder)
    write_run(FULL)
    for sparsity, scores in ((0.7, (1, 1, 1, 0)), (0.8, (1, 1, 1, 0)), (0.9, (1, 0, 0, 0))):
        write_run(squeezed(sparsity=sparsity), scores, budget=1.1 - sparsity, lookup=0.02)
    write_run(STREAMING, (0, 0, 1, 0), budget=0.2)
    write_run({**STREAMING, "sparsity": 0.7}, (0, 0, 0, 0), budget=0.39)
    page(folder)
    return folder


def test_the_page_begins_with_what_the_results_say(sweep: Path) -> None:
    found = read(sweep)
    assert [text for _, text in found.headings[:4]] == [
        "Squeezed Attention: results",
        "What the results say",
        "mini on RULER, niah_single_1, 1024 tokens, 2 contexts of 2 questions, prompts: suite",
        "Contents",
    ]
    said = found.text[: found.text.index("Contents")]
    assert "mini is a fixture" in said
    assert "Nothing may be concluded" in said
    assert "float32 on cpu, commit abc" in said
    assert "Full attention scores 0.750 (0.500 to 1.000) at 1024 tokens." in said
    # 0.2 of the bytes do not keep it, 0.3 do.
    assert "squeezed topk, sparsity 0.8 reads least: 0.300 of the bytes" in said
    assert "It scores 0.750, 100.0% of full attention's score" in said
    assert "streaming, sparsity 0.9, scores 0.250 and reads 0.200" in said
    assert "difference from the first, -0.500" in said
    assert "too few contexts to be told from noise" in said
    assert "4 questions on 2 contexts: too few to show any difference." in said


def test_another_model_is_no_fixture(write_run: Write, tmp_path: Path) -> None:
    folder = write_run(FULL)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"name": "mini"', '"name": "large"'))
    said = page(tmp_path).text
    assert "fixture" not in said
    assert "large: float32 on cpu, commit abc." in said
    assert "Full attention scores 0.750" in said


def test_it_can_be_read_by_all(sweep: Path) -> None:
    found = read(sweep)
    levels = [level for level, _ in found.headings]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(image["alt"] for image in found.all("img"))
    assert all(cell["scope"] in ("col", "row") for cell in found.all("th"))
    assert len(found.all("caption")) == len(found.all("table")) > 0
    assert len(found.all("figcaption")) == len(found.all("img")) > 0
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in found.all(
        "meta"
    )
    boxes = [box for box in found.all("div") if box.get("class") == "wide"]
    assert len(boxes) == len(found.all("table")) + len(found.all("img"))


def test_contents_are_words_and_lead_somewhere(sweep: Path) -> None:
    found = read(sweep)
    places = {attributes["id"] for _, attributes in found.tags if attributes.get("id")}
    links = [str(link["href"]) for link in found.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= places
    files = [link for link in links if not link.startswith("#")]
    assert all((sweep / "out" / link).is_file() for link in files)
    assert "tables/mini-ruler-suite-2x2.csv" in files
    assert "Score against the KV budget" in found.text
    assert "mini-ruler-suite-2x2\n" not in found.text.partition("Scores stand with")[0]


@pytest.mark.usefixtures("no_pictures")
def test_long_tables_are_cut_and_linked(write_run: Write, tmp_path: Path) -> None:
    write_run(FULL)
    for n in range(ROWS + 5):
        write_run(squeezed(kv_tokens=100 + n), (1, 0, 0, 0), budget=0.2 + n / 1000, lookup=0.02)
    found = page(tmp_path)
    assert f"The whole table, {ROWS + 6} rows" in found.text
    assert len(found.all("tr")) < 4 * ROWS
    assert COLUMNS < 10


def test_what_is_not_drawn_is_said(write_run: Write, tmp_path: Path) -> None:
    write_run(FULL)
    write_run(squeezed(sparsity=0.9), budget=0.5)
    found = page(tmp_path)
    assert found.all("img") == []
    assert "Not drawn, as fewer than two points beside full attention: niah_single_1" in found.text


def test_published_numbers_stand_beside_longbench_only(sweep: Path) -> None:
    assert "Published" not in read(sweep).text


def test_the_page_is_self_contained_and_escaped(write_run: Write, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    for sparsity in (0.7, 0.9):
        write_run(squeezed(sparsity=sparsity), (1, 0, 0, 0), subtask=name, budget=1.1 - sparsity)
    write_run(FULL, subtask=name)
    page(tmp_path)
    text = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "model.dtype" in text
    sources = re.findall(r'src="([^"]{20})', text)
    assert sources
    assert all(source.startswith("data:image/png") for source in sources)
    assert "http" not in re.sub(r'src="[^"]*"', "", text)
    tex = (tmp_path / "out/tables/mini-ruler-suite-2x2.tex").read_text()
    assert r"niah\_" not in tex
    assert r"sparsity 0.9" in tex


def test_differences_to_full_attention_and_to_the_oracle_stand_in_one_column_each() -> None:
    row = {"method": "ours", "score": 0.5, "score_ci_low": 0.4, "score_ci_high": 0.6}
    for name, delta in (("delta", -0.1), ("oracle_delta", -0.02)):
        row |= {name: delta, f"{name}_ci_low": delta - 0.01, f"{name}_ci_high": delta + 0.01}
    shown = cells.important(pd.DataFrame([row]))
    assert dict(zip(shown["header"], shown["rows"][0], strict=True)) == {
        "method": "ours",
        "score": "0.500 (0.400 to 0.600)",
        "delta": "-0.100 (-0.110 to -0.090)",
        "oracle_delta": "-0.020 (-0.030 to -0.010)",
    }
