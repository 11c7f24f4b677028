"""One self-contained HTML page with all tables and figures, their configuration and the commit."""

import base64
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from bench.config.spec import digest
from bench.reporting.leaderboard.rows import Run
from bench.reporting.output import write_text
from bench.reporting.published import LONGBENCH_SOURCE
from bench.reporting.studies.write import Written
from bench.reporting.tables.longbench import published_table

TEMPLATE = "page.html"


def write(
    runs: list[Run],
    groups: list[tuple[str, pd.DataFrame, pd.DataFrame]],
    studies: list[Written],
    figures: Path,
    out: Path,
) -> Path:
    """Writes ``report.html``; returns its path.

    Args:
        groups: name, rows of the leaderboard, and overview of every group. studies: what they made.
        figures: folder of the groups' own figures, ``NAME.png``. out: folder to write to.
    """
    identities = {folder: identity for identity, _, folder in runs}
    sections = [
        {
            "name": name,
            "configuration": configuration([identities[run] for run in part["run"]]),
            "commits": sorted(set(part["commit"])),
            "unfinished": int((~part["complete"]).sum()),
            "overview": cells(overview),
            "figure": image(figures / f"{name}.png"),
            "studies": [
                {
                    "title": each.study.title,
                    "about": each.study.about,
                    "figure": None if each.figure is None else image(each.figure),
                    "tables": {key: cells(table) for key, table in each.tables.items()},
                }
                for each in studies
                if each.group == name
            ],
        }
        for name, part, overview in groups
    ]
    # Everything is escaped: names of models and of subtasks come from outside.
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(files("bench.reporting.page").joinpath(TEMPLATE).read_text())
    published = {"source": LONGBENCH_SOURCE, "table": cells(published_table())}
    return write_text(
        out / "report.html", template.render(sections=sections, published=published) + "\n"
    )


def configuration(identities: list[dict[str, Any]]) -> dict[str, str]:
    """Settings of the model, the rows and the index, each with all the values that the runs had."""
    found: dict[str, list[str]] = {}
    for identity in identities:
        for part in ("model", "task", "index"):
            for name, value in identity.get(part, {}).items():
                text = value if isinstance(value, str) else json.dumps(value)
                values = found.setdefault(f"{part}.{name}", [])
                values += [] if text in values else [text]
    found["runs"] = [f"{len(identities)}, {digest(identities)[:12]}"]
    return {name: ", ".join(values) for name, values in found.items()}


def cells(table: pd.DataFrame) -> dict[str, list[Any]]:
    """The table's header and its cells as text, numbers to three digits, missing values empty."""
    rows = table.astype(object).where(table.notna(), "").to_numpy().tolist()
    return {"header": list(map(str, table.columns)), "rows": [[_text(v) for v in r] for r in rows]}


def image(path: Path) -> str:
    """A PNG file as the text of a data URL."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
