"""The site of ``make docs``: pages of this repository, and a page for every module from its docstrings.

Sphinx reads the Markdown pages where they lie; modules are read, not imported. Navigation is ``THEMES``.
"""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "kernels/squeezed_kernels",
    *sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} - {"conf", "tests"}),
)
STUDIES = sorted(
    str(page.relative_to(ROOT)) for page in (ROOT / "results" / "reference").glob("*/README.md")
)
# The pages by theme, in the order of the navigation.
THEMES = {
    "Start": (
        "docs/README.md",
        "docs/install.md",
        "docs/results.md",
        "docs/findings-real-models.md",
        "docs/recommend.md",
        "docs/real-models.md",
        "docs/datasets.md",
        "docs/documents.md",
        "docs/trust.md",
        "docs/limits.md",
    ),
    "Guides": (
        "docs/method.md",
        "docs/baselines.md",
        "docs/budget.md",
        "docs/generate.md",
        "docs/prompts.md",
        "docs/figures.md",
        "docs/clusters.md",
        "docs/lm-eval.md",
        "docs/extending.md",
        "CONTRIBUTING.md",
    ),
    "Reference": (
        "docs/models.md",
        "docs/records.md",
        "ruler/README.md",
        "bench/models/mini/README.md",
        "CHANGELOG.md",
    ),
    "Modules": tuple(f"build/api/{Path(name).name}/index.rst" for name in PACKAGES),
    **({"Studies": tuple(STUDIES)} if STUDIES else {}),
}

project = "Squeezed Attention bench"
root_doc = "README"
extensions = ["myst_parser", "autoapi.extension", "sphinx.ext.napoleon"]
include_patterns = [
    "README.md",
    *(page for pages in THEMES.values() for page in pages),
    "build/api/**",
]
html_theme = "furo"
html_title = project
html_math_renderer = "mathml"  # of browsers; the others fetch a script from elsewhere

myst_heading_anchors = 4
myst_fence_as_directive = ["math"]

autoapi_dirs = [str(ROOT / package) for package in PACKAGES]
autoapi_root = "build/api"  # git ignores it; removed after the site is made
autoapi_add_toctree_entry = False
autoapi_options = ["members", "show-inheritance", "show-module-summary"]
autoapi_ignore = ["*/__main__.py", "*/fixture/*"]
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# A type's name that several modules have gets no link; imports from elsewhere are no error.
suppress_warnings = ["ref.python", "autoapi.python_import_resolution"]


def navigation() -> str:
    """The themes as tables of contents."""
    blocks = []
    for theme, pages in THEMES.items():
        entries = "\n".join(f"/{page.rsplit('.', 1)[0]}" for page in pages)
        blocks.append(f"```{{toctree}}\n:hidden:\n:caption: {theme}\n\n{entries}\n```")
    return "\n\n" + "\n\n".join(blocks) + "\n"


def prepare(app: Any, page: str, source: list[str]) -> None:
    """Adds the navigation to the first page; a link to a folder leads to its page, or nowhere."""
    path = app.env.doc2path(page)
    if Path(path).suffix != ".md":
        return

    def link(found: re.Match[str]) -> str:
        text, target = found.groups()
        folder = Path(path).parent / target
        if "://" in target or not folder.is_dir():
            return found[0]
        return f"[{text}]({target}/README.md)" if (folder / "README.md").exists() else text

    source[0] = re.sub(r"(?<!!)\[([^\]\n]+)\]\(([^)#\s]+)\)", link, source[0])
    if page == root_doc:
        source[0] += navigation()


def formula(visitor: Any, node: Any) -> None:
    """A formula as MathML."""
    # Here, so that the settings can be read where the tools are not.
    from docutils.nodes import SkipNode
    from docutils.utils.math.latex2mathml import tex2mathml

    visitor.body.append(str(tex2mathml(node.astext(), as_block=node.tagname == "math_block")))
    raise SkipNode


def front_page(app: Any, error: Exception | None) -> None:
    """``index.html`` leads to the README."""
    page = f'<meta http-equiv="refresh" content="0; url={root_doc}.html">'
    (Path(app.outdir) / "index.html").write_text(page, encoding="utf-8")


def setup(app: Any) -> None:
    """What Sphinx asks of a configuration with code."""
    app.connect("source-read", prepare)
    app.connect("build-finished", front_page)
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))
