"""The site: all pages are in its navigation, all packages have pages, and it can be made."""

import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT

TOOLS = ("sphinx", "myst_parser", "autoapi", "furo")


@pytest.fixture
def settings() -> dict[str, object]:
    """The names of the configuration."""
    return runpy.run_path(str(ROOT / "docs" / "conf.py"))


def test_every_page_is_in_the_navigation_and_exists(settings: dict) -> None:
    pages = [page for pages in settings["THEMES"].values() for page in pages]
    assert {*PAGES} <= {"README.md", *pages}
    for page in pages:
        assert (ROOT / page).exists() or page.startswith("build/api/"), page


def test_every_package_has_pages(settings: dict) -> None:
    assert {"bench", "squeezed", "kernels/squeezed_kernels", "rows"} <= set(settings["PACKAGES"])
    for folder in settings["autoapi_dirs"]:
        assert (Path(folder) / "__init__.py").is_file(), folder
        assert (Path(folder) / "__init__.py").read_text().startswith('"""'), (
            f"{folder}: what is it?"
        )


@pytest.mark.skipif(not all(map(find_spec, TOOLS)), reason="needs the extra docs (make docs)")
def test_pages_can_be_made(tmp_path: Path) -> None:
    """The pages without the modules, which take a minute; any warning is an error."""
    command = [
        *(sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "-c", str(ROOT / "docs")),
        *("-D", "extensions=myst_parser", "-D", "suppress_warnings=toc.not_readable"),
        *(str(ROOT), str(tmp_path)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "index.html").exists()
    assert "<math" in (tmp_path / "docs" / "method.html").read_text(encoding="utf-8")
