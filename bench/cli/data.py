"""``squeezed-bench data``: list the made sets, publish rows for a hub, bring rows of others in."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.errors import InputError, RunError
from bench.config.plain import Plain, setting
from rows.keys import meant

if TYPE_CHECKING:
    from rows.row import Row

PAGE = """squeezed-bench data list | publish | import

list      the made sets: name, what it tests, what guessing gets, questions on one context, lengths,
          options. A kind of questions is a subtask too, on the same contexts: records_count. Run one with
          squeezed-bench task=probes task.subtask=NAME, write its rows with squeezed-bench probes set=NAME
          out=DIR. RULER, LongBench and PreFixQA are tasks of their own; their commands list what they have.
publish   rows as a folder that a hub takes: Parquet with declared features, card, licence, checksums
import    rows of others (RULER as kvpress has it, SCBench, any set in the row contract), from files or a hub

Each with --help."""
COMMANDS = ("list", "publish", "import")
HUB = "hub:"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done; bad input raises InputError."""
    given = list(arguments or ())
    if not given or given[0] in ("-h", "--help"):
        print(PAGE)
        return 0
    if given[0] in ("publish", "import"):
        return {"publish": PUBLISH, "import": IMPORT}[given[0]].main(given[1:])
    if given != ["list"]:
        word = given[0] if given[0] != "list" else given[1]
        hint = meant(word, COMMANDS) or f"; expected {', '.join(COMMANDS)}"
        raise InputError(f"data: unknown word {word!r}{hint}")
    print(table())
    return 0


@dataclass(frozen=True)
class Publish:
    """Settings of ``publish``."""

    rows: Path = setting(dataclasses.MISSING, "folder of a set, or a file of rows")
    out: Path = setting(dataclasses.MISSING, "folder to write")
    licence: str = setting(
        dataclasses.MISSING, "of the rows, as hubs name it: cc0-1.0, cc-by-4.0, ..."
    )
    title: str = setting("Long contexts with many questions", "of the card")
    about: Path | None = setting(None, "a Markdown file for the card: sources, what the score is")
    push: str | None = setting(None, "OWNER/NAME of a hub's repository to upload to; null: none")
    private: bool = setting(True, "of a new repository")


@dataclass(frozen=True)
class Import:
    """Settings of ``import``."""

    rows: str = setting(
        dataclasses.MISSING, "file or folder, or hub:OWNER/NAME/FILE (a data set's)"
    )
    out: Path = setting(dataclasses.MISSING, "file of rows to write, .jsonl or .parquet")
    max_new_tokens: int = setting(64, "of rows that do not say it")


def _publish(given: Publish) -> None:
    from rows import hub  # late: wrong settings need not wait for pyarrow

    try:
        if given.push is not None:
            hub.require_pushable(given.push)
        source, out = given.rows.resolve(), given.out.resolve()
        if out == source or out in source.parents:
            raise InputError(f"out={given.out} holds the rows themselves; give another folder")
        about = hub.About(given.title, given.licence, _text(given.about))
        written = hub.publish(_read(given.rows, 64), given.out, about)
        for path in written:
            print(f"wrote {path}")
        if given.push is not None:
            print(f"pushed: {_push(given.out, given.push, given.private)}")
    except ValueError as error:
        raise InputError(str(error)) from error


def _push(out: Path, repository: str, private: bool) -> str:
    """Uploads the folder; returns its address."""
    from rows import hub

    try:
        return hub.push(out, repository, private)
    except OSError as error:
        raise RunError(f"{error}; {out} is whole, and the same command tries again") from error


def _text(about: Path | None) -> str:
    """The text of the file ``about``; nothing without one."""
    if about is None:
        return ""
    try:
        return about.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"about={about} cannot be read: {why}; give a Markdown file") from error


def _import(given: Import) -> None:
    from rows.parquet import write_parquet
    from rows.row import write_jsonl

    write = {".jsonl": write_jsonl, ".parquet": write_parquet}.get(given.out.suffix)
    if write is None:
        raise InputError(f"out is {given.out}; expected a file that ends in .jsonl or .parquet")
    try:
        rows = _read(_here(given.rows), given.max_new_tokens)
        write(given.out, rows)
    except ValueError as error:
        raise InputError(str(error)) from error
    tasks = Counter((row.task, row.subtask) for row in rows)
    for (task, subtask), count in tasks.items():
        print(f"{count} rows of {subtask}: task={task} task.data={given.out}")
    print(f"wrote {given.out}: {len(rows)} rows, {len({row.context for row in rows})} contexts")


def _here(place: str) -> Path:
    """A place as a file on this machine; one of a hub is fetched."""
    if not place.startswith(HUB):
        return Path(place).expanduser()
    parts = place.removeprefix(HUB).split("/", 2)
    if len(parts) < 3:
        raise InputError(f"rows is {place!r}; expected {HUB}OWNER/NAME/FILE")
    from huggingface_hub import hf_hub_download  # late: it takes a second

    owner, name, file = parts
    try:
        return Path(hf_hub_download(f"{owner}/{name}", file, repo_type="dataset"))
    except Exception as error:  # of many kinds: no network, no such file, no right to read it
        raise InputError(f"cannot fetch {place}: {error}") from error


def _read(place: Path, max_new_tokens: int) -> "list[Row]":
    """All rows of a file, or of the files of a folder, each set's once.

    Raises:
        RowError: as ``rows.foreign.read_foreign``, or an id in two files.
    """
    from rows.foreign import read_foreign
    from rows.row import RowError

    if not place.is_dir():
        return read_foreign(place, max_new_tokens)
    # A set may be there as JSONL and Parquet: JSONL first, whose ``meta`` has its types.
    files = [path for path in sorted(place.rglob("*.jsonl")) if path.name != "rejected.jsonl"]
    found = files or sorted(place.rglob("*.parquet"))
    if not found:
        raise RowError(f"{place} holds no .jsonl and no .parquet file")
    rows: list[Row] = []
    ids: dict[tuple[str, str], Path] = {}
    for path in found:
        for row in read_foreign(path, max_new_tokens):
            key = (f"{row.subtask} {row.meta.get('length')}", row.id)
            if key in ids:
                raise RowError(f"{path}: the id {row.id!r} is in {ids[key]} too")
            ids[key] = path
            rows.append(row)
    return rows


def table() -> str:
    """The list as text, a row a set."""
    from tabulate import tabulate  # late: help need not wait for it

    from probes.find import sets

    head = ("set", "kinds", "what it tests", "floor", "questions a context", "tokens", "options")
    rows = []
    for each in sets().values():
        kinds = [kind.name for kind in each.kinds]
        most = [kind.most for kind in each.kinds]
        count = "any" if None in most else f"to {sum(each or 0 for each in most)}"
        rows.append(
            (
                each.name,
                ", ".join(kinds) if len(kinds) > 1 else "",
                each.about,
                each.floor,
                count,
                f"{each.shortest} to 1M",
                ", ".join(f"{name}={value}" for name, value in each.options.items()),
            )
        )
    return str(tabulate(rows, head, "grid", maxcolwidths=[14, 20, 34, 24, 10, 12, 16]))


PUBLISH = Plain(
    "data publish",
    None,
    Publish,
    _publish,
    """Writes rows as a folder that a hub of data sets takes as it is: Parquet with declared features, one
configuration a subtask and length, a card, the licence, checksums. push=OWNER/NAME uploads it; the key
comes from the environment (HF_TOKEN) or a login, never from a setting. Exit codes: 0 done, 1 the hub cannot
be reached or refuses, 2 bad input.""",
    (
        "rows=data/ruler out=hub/ruler licence=cc0-1.0",
        "rows=data/mine out=hub/mine licence=other push=ME/mine",
    ),
)
IMPORT = Plain(
    "data import",
    None,
    Import,
    _import,
    """Reads rows of others into the row contract. Which they are, their columns say: the contract's own,
RULER as it is published for kvpress (Parquet or JSONL), SCBench (each turn asked by itself on the shared
context). Exit codes: 0 done, 2 bad input.""",
    (
        "rows=0000.parquet out=data/ruler.jsonl",
        "rows=hub:OWNER/NAME/FILE.parquet out=data/set.jsonl",
    ),
)
