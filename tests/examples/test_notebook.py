"""The notebook runs cell by cell, and is the script."""

import json
from pathlib import Path

import matplotlib
import pytest

from tests.examples.notebook import NOTEBOOK, SCRIPT, notebook


def test_the_notebook_is_the_script() -> None:
    assert json.loads(NOTEBOOK.read_text()) == notebook(SCRIPT.read_text())
    code = [line for line in SCRIPT.read_text().splitlines() if line and line[0] != "#"]
    assert len(code) <= 40


def test_its_cells_run_and_methods_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    names: dict[str, object] = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    said = capsys.readouterr().out
    found = [line.split() for line in said.splitlines() if " F1 " in line]
    assert [line[0] for line in found] == ["full", *["squeezed"] * 3, *["streaming"] * 3]
    reads, scores = ([float(line[place]) for line in found] for place in (2, 4))
    assert reads[1:] == pytest.approx([0.15, 0.3, 0.6] * 2, abs=0.02)
    full, squeezed, streaming = scores[0], scores[2], scores[5]
    assert squeezed > streaming
    assert abs(full - squeezed) < 0.1
    assert (tmp_path / "ten_questions.png").stat().st_size > 5000
