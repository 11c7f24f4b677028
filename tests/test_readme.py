"""The README's tables and first figures are those of the committed records, and its code runs."""

import csv
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "page", ["README.md", "bench/models/mini/README.md", "docs/recommend.md", "docs/baselines.md"]
)
def test_quoted_tables_are_the_committed_ones(page):
    """Line by line; a page may leave out the last columns."""
    text = (ROOT / page).read_text()
    quoted = re.findall(r"<!-- begin (\S+) -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert quoted
    for path, text in quoted:
        lines, committed = (each.strip().splitlines() for each in (text, (ROOT / path).read_text()))
        assert len(lines) == len(committed), path
        for line, whole in zip(lines, committed, strict=True):
            assert whole.startswith(line), path
            assert line.endswith("|") or line == whole, path
        assert len({line.count("|") for line in lines if line.startswith("|")}) <= 1, path


def test_its_shares_of_a_wait_are_those_of_the_timings():
    """A question of 25 tokens on one thread, by clusters, over the same with transformers' own cache."""
    said = re.search(
        r"question waits (0\.\d\d) as long as with transformers' own cache at 4K tokens, (0\.\d\d) at 8K, "
        r"eight together (0\.\d\d) and (0\.\d\d)",
        README,
    )
    assert said
    with (ROOT / "results/reference/smollm2-waits/table.csv").open() as file:
        waits = {
            (int(row["length"]), int(row["batch"]), row["who"]): float(row["median_ms"])
            for row in csv.DictReader(file)
            if (row["what"], row["tokens"], row["threads"]) == ("question", "25", "1")
        }
    asked = [(4096, 1), (8192, 1), (4096, 8), (8192, 8)]
    shares = [waits[*each, "topk"] / waits[*each, "transformers"] for each in asked]
    assert [f"{share:.2f}" for share in shares] == list(said.groups())


def test_files_it_names_exist():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    local = [link for link in links if not link.startswith("http")]
    assert local
    for link in local:
        assert (ROOT / link).exists(), link


def test_it_is_short_and_its_tables_are_narrow():
    lines = README.splitlines()
    assert len(lines) <= 150
    for line in lines:
        if line.startswith("|"):
            assert len(line) <= 100, line
            assert line.count("|") - 1 <= 6, line


def test_its_python_example_runs_and_finds_the_number(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    answer = capsys.readouterr().out
    assert "4711042" in answer
    # A reader goes on with the examples in the same folder, where the index of that document now lies.
    runpy.run_path(str(ROOT / "examples" / "ask_a_document.py"))["main"]([])
    assert "4711042" in capsys.readouterr().out
