"""The README says what the committed records say, and its code runs."""

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
    text = (ROOT / page).read_text()
    quoted = re.findall(r"<!-- begin (\S+) -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert quoted
    for path, text in quoted:
        assert text.strip() == (ROOT / path).read_text().strip(), path


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
