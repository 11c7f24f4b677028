"""The pages for people: their blocks of commands, what runs them, their links and headings.

A block of commands is ```` ```sh ````, with a comment above it that says what runs it:

- ``<!-- run -->``: the tests do, as it stands, in an empty folder that the blocks of a page share;
- ``<!-- run with key=value ... -->``: the same with other values, to be small or without a network (``$MINI``
  is the embedded model's folder). A key that a command has gets the other value; keys with a dot are added to
  the commands of the bench that lack them;
- ``<!-- run by PLACE: reason -->``: a script or target of this repository does, because of the reason.

Two more comments stand above what a recipe adds to the repository: ``<!-- file PATH -->`` above a new file,
``<!-- line PATH -->`` above a line of an old one.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "ruler/README.md",
    *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
)
PYTHON = ".venv/bin/python"
SCRIPT = ".venv/bin/squeezed-bench"
COMMANDS = (
    "bench",
    "bench.skew",
    "bench.recommend",
    "bench.kernels",
    "ruler",
    "longbench",
    "prefixqa",
    "probes",
    "texts",
)
_BLOCK = re.compile(
    r"(?:<!-- (run(?: with| by)?)(?: ([^\n]*?))? -->\n)?^```(\w*)\n(.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_ADDITION = re.compile(r"<!-- (file|line) (\S+) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code of a page.

    Attributes:
        language: as the fence says. how: ``run``, ``run with``, ``run by``, or empty.
        note: what stands behind that. text: the code.
    """

    page: str
    number: int
    language: str
    how: str
    note: str
    text: str

    def commands(self) -> list[list[str]]:
        """The commands as words, with the changes that the comment asks for."""
        joined = self.text.replace("\\\n", " ")
        found = [shlex.split(line, comments=True) for line in joined.splitlines()]
        note = self.note.replace("$MINI", str(ROOT / "bench" / "models" / "mini"))
        changes = shlex.split(note) if self.how == "run with" else []
        return [changed(words, changes) for words in found if words]


def changed(words: list[str], changes: list[str]) -> list[str]:
    """A command with other values for some of its keys."""
    values = dict(change.split("=", 1) for change in changes)
    kept = []
    for word in words:
        key = word.partition("=")[0]
        kept.append(f"{key}={values.pop(key)}" if key in values else word)
    if words[:2] == [PYTHON, "-m"] and words[2] in COMMANDS:
        bench = words[2] in ("bench", "bench.skew", "bench.recommend")
        groups = ("method", "model", "task", "dry_run")
        added = {k: v for k, v in values.items() if ("." in k or k in groups) == bench}
        kept += [f"{key}={value}" for key, value in added.items()]
    if words[0] == SCRIPT:
        kept += [f"{key}={value}" for key, value in values.items()]
    return kept


def blocks(page: str) -> list[Block]:
    """All blocks of code of a page, in order."""
    found = _BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    return [
        Block(page, n, language, *rest, text) for n, (*rest, language, text) in enumerate(found)
    ]


def links(page: str) -> list[str]:
    """Targets of all links and pictures, outside code."""
    text = _BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))


def anchors(page: str) -> set[str]:
    """Names of a page's headings, as GitHub makes them."""
    text = _BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def additions(text: str) -> list[tuple[str, str, str]]:
    """What a recipe adds: ``file`` or ``line``, the path, the text."""
    return _ADDITION.findall(text)


def without_additions(text: str) -> str:
    """A page without what its recipes add."""
    return _ADDITION.sub("", text)
