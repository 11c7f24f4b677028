"""The page: everything is in it, and nothing from outside is taken for HTML."""

import re
from collections.abc import Callable
from pathlib import Path

from bench.cli import report
from tests.bench.reporting.conftest import FULL, squeezed


def test_the_page_is_self_contained_and_escaped(
    write_run: Callable[..., Path], tmp_path: Path
) -> None:
    name = "<script>alert(1)</script>"
    for method in (FULL, squeezed(sparsity=0.9)):
        write_run(method, subtask=name, budget=0.5)
    assert report.main([f"results={tmp_path}", f"out={tmp_path / 'out'}"]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "Commit abc" in page
    assert "model.dtype" in page
    assert "Published, not measured here" in page
    sources = re.findall(r'src="([^"]{20})', page)
    assert sources
    assert all(source.startswith("data:image/png") for source in sources)
    assert "http" not in re.sub(r'src="[^"]*"', "", page)
    tex = (tmp_path / "out/tables/mini-ruler-suite-2x2.tex").read_text()
    assert r"niah\_" not in tex
    assert r"sparsity 0.9" in tex
