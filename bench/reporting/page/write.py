"""One self-contained HTML page: what the results say, tables, figures, configuration and commit."""

import base64
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from bench.config.spec import digest
from bench.reporting.figures import accuracy
from bench.reporting.leaderboard.rows import Run
from bench.reporting.output import write_text
from bench.reporting.page import cells, summary, words
from bench.reporting.published import LONGBENCH_SOURCE
from bench.reporting.statistics.pooled import Pool, pool
from bench.reporting.studies.write import Written
from bench.reporting.tables.longbench import published_table

TEMPLATE = "page.html"
FILES = {  # tables of a group that only a link stands for, by the end of their names
    "": "every run",
    "-overview": "scores by subtask, a row a method",
    "-tasks": "scores by subtask, a column a method",
    "-needle-places": "scores by where in the context the answer stood",
}


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
        figures: folder of the groups' own figures, ``NAME.png``. out: folder to write to; the page links to
            the tables below it.
    """
    identities = {folder: identity for identity, _, folder in runs}
    records = {folder: table for _, table, folder in runs}
    pools = {each.group: each.pool for each in studies}
    titles = words.titles([(name, part) for name, part, _ in groups])
    sections = [
        {
            "title": titles[name],
            "configuration": configuration([identities[run] for run in part["run"]]),
            "unfinished": int((~part["complete"]).sum()),
            **_told(pools.get(name) or pool(part, records)),
            "figure": _figure(part, figures / f"{name}.png"),
            "studies": [_study(each, out) for each in studies if each.group == name],
            "files": {
                path: about
                for end, about in FILES.items()
                if (out / (path := f"tables/{name}{end}.csv")).exists()
            },
        }
        for name, part, _ in groups
    ]
    commits = sorted({commit for _, part, _ in groups for commit in part["commit"]})
    # Everything is escaped: names of models and of subtasks come from outside.
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(files("bench.reporting.page").joinpath(TEMPLATE).read_text())
    longbench = any((part["task"] == "longbench").any() for _, part, _ in groups)
    published = {"source": LONGBENCH_SOURCE, "table": cells.whole(published_table())}
    page = template.render(
        models=words.models([identities[run] for run in identities], commits),
        sections=sections,
        published=published if longbench else None,
    )
    return write_text(out / "report.html", page + "\n")


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


def image(path: Path) -> str:
    """A PNG file as the text of a data URL."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def _told(found: Pool) -> dict[str, Any]:
    together = summary.together(found)
    return {
        "sentences": summary.sentences(together),
        "table": cells.whole(summary.table(together)),
        "notes": together.notes,
    }


def _figure(part: pd.DataFrame, path: Path) -> dict[str, Any]:
    """The group's own figure, and what is not in it."""
    plan = accuracy.plan(part)
    names = dict.fromkeys(subtask for subtask, _, _ in plan.panels)
    about = f"Scores against the measured KV budget on {', '.join(names)}."
    return {
        "image": image(path) if plan.panels else None,
        "about": about,
        "notes": plan.notes,
    }


def _study(written: Written, out: Path) -> dict[str, Any]:
    study = written.study
    return {
        "title": study.title,
        "about": study.about,
        "error": written.error,
        "notes": written.notes,
        "figure": None if written.figure is None else image(written.figure),
        "tables": [
            {"name": name, "path": f"tables/{name}.csv", **cells.important(table)}
            for name, table in written.tables.items()
        ],
    }
