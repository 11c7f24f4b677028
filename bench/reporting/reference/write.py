"""Writes the tables, the figure and the facts of reference studies from their packed records."""

import re
from pathlib import Path

from bench.config.errors import InputError
from bench.reporting.figures.files import write_image
from bench.reporting.output import as_csv, as_markdown, write_text
from bench.reporting.reference.makers import make

REFERENCE = Path("results/reference")
RECORDS = "records.parquet"
KIND = re.compile(r"^<!-- made as: (\S+) -->$", re.MULTILINE)
FACTS = re.compile(r"(<!-- begin facts -->\n).*?(<!-- end facts -->)", re.DOTALL)
TABLE = re.compile(r"(<!-- begin table\.md -->\n).*?(<!-- end -->)", re.DOTALL)
PICTURE = re.compile(r"\n!\[[^\]]*\]\(figure\.png\)\n")
NEW = """# {name}

<!-- made as: {kind} -->

**Question.** (write it here)

**Answer.** (write it here, in one sentence)

```sh
(the command that made the records)
```

<!-- begin facts -->
<!-- end facts -->

<!-- begin table.md -->
<!-- end -->

![{name}](figure.png)
"""


def studies(reference: Path) -> list[str]:
    """Names of the reference studies that have records.

    Raises:
        InputError: there is none.
    """
    found = sorted(path.parent.name for path in reference.glob(f"*/{RECORDS}"))
    if not found:
        raise InputError(f"no reference study in {reference}")
    return found


def remake(folder: Path, kind: str | None = None) -> list[Path]:
    """Writes a study anew from its records; what is written by hand in its README stays.

    Args:
        folder: of the study.
        kind: as for ``bench.reporting.reference.makers.make``; None: as its README says.

    Raises:
        InputError: no records, no README that says the kind, or records that do not make it.
        OSError: a file cannot be written.
    """
    page = folder / "README.md"
    if page.exists():
        text = page.read_text(encoding="utf-8")
    elif kind is not None:
        text = NEW.format(name=folder.name, kind=kind)
    else:
        raise InputError(f"{page} does not exist; say what to make of the records: study=NAME")
    said = KIND.search(text)
    kind = kind or (said[1] if said else None)
    if kind is None:
        raise InputError(f"{page} does not say what it is: <!-- made as: KIND --> is missing")
    made = make(kind, folder / RECORDS)
    narrow = as_markdown(made.narrow) + "\n"
    facts = "".join(f"- {name}: {value}\n" for name, value in made.facts.items())
    text = FACTS.sub(lambda found: found[1] + facts + found[2], text)
    text = TABLE.sub(lambda found: found[1] + narrow + found[2], text)
    if made.figure is None:  # one method alone draws no curve
        text = PICTURE.sub("", text)
    written = [
        write_text(folder / "table.csv", as_csv(made.whole)),
        write_text(folder / "table.md", narrow),
        write_text(page, text),
    ]
    if made.figure is not None:
        written.append(write_image(made.figure, folder / "figure.png"))
    return written
