"""From a source to documents as they were found: a folder, a file, JSON lines, arXiv's papers, a text."""

from collections.abc import Callable, Iterator
from pathlib import Path

from prefixqa.sources.arxiv import Arxiv, arxiv_ids
from prefixqa.sources.formats import FORMATS
from prefixqa.sources.latex import decoded, latex
from prefixqa.sources.raw import Raw, SourceError, decode, iso_date
from rows import strict_json
from texts import catalogue

ARXIV = "arxiv:"
TEXT_FIELDS = ("text", "document", "context", "content")


def read(source: str, cache: Path, seed: str = "0") -> Iterator[tuple[str, Raw | SourceError]]:
    """Everything in a source by name, read or refused.

    Args:
        seed: of the values that are swapped in a text that models know by heart.

    Raises:
        ValueError: there is no such source.
    """
    if source.startswith(catalogue.PREFIX):
        name = source.removeprefix(catalogue.PREFIX)
        if catalogue.get(name).kind != catalogue.PROSE:  # cleaning would take its line ends away
            raise ValueError(f"source: {name} is code; documents are prose")
        corpus = catalogue.load(name, seed)
        for each in corpus.documents:
            yield each.name, Raw(each.name, each.text, corpus.pin, each.title, corpus.licence)
        return
    if source.startswith(ARXIV):
        yield from Arxiv(cache / "arxiv").documents(arxiv_ids(source.removeprefix(ARXIV)))
        return
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file() and _visible(each, path))
        if not files:
            raise ValueError(f"source: the folder {source} holds no file")
        yield from _texts(files, path)
    elif path.is_file():
        yield from _file(path, path.name, path.parent, {})
    else:
        raise ValueError(
            f"source: no file or folder {source}; give a folder, a file, arxiv:ID,ID, or text:NAME"
        )


def _visible(file: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(root).parts)


def _texts(files: list[Path], root: Path) -> Iterator[tuple[str, Raw | SourceError]]:
    """Every file of a folder; LaTeX files that others include are parts of those and no documents."""
    included: dict[Path, str] = {}
    papers = {}
    for file in files:
        if file.suffix.lower() == ".tex" and _is_whole(file):
            name = str(file.relative_to(root))
            papers[file] = list(_file(file, name, root, included))
    for file in files:
        name = str(file.relative_to(root))
        if file in papers:
            yield from papers[file]
        elif file.resolve() in included:
            yield name, SourceError(f"a part of {included[file.resolve()]}, which includes it")
        else:
            yield from _file(file, name, root, {})


def _is_whole(file: Path) -> bool:
    try:
        return b"\\document" in file.read_bytes()
    except OSError:
        return False


def _including(
    path: Path, name: str, root: Path, included: dict[Path, str]
) -> Callable[[str], str | None]:
    """Reads files that a LaTeX file includes, inside ``root`` only, and notes which."""

    def other(given: str) -> str | None:
        for shown in (given, f"{given}.tex"):
            try:
                file = (path.parent / shown.strip()).resolve()
                if file.is_relative_to(root.resolve()) and file.is_file():
                    included[file] = name
                    return decoded(file.read_bytes())
            except (OSError, ValueError):
                continue
        return None

    return other


def _file(
    path: Path, name: str, root: Path, included: dict[Path, str]
) -> Iterator[tuple[str, Raw | SourceError]]:
    if path.suffix.lower() == ".jsonl":
        yield from _jsonl(path, name)
        return
    reader = FORMATS.get(path.suffix.lower())
    try:
        if reader is None:
            known = ", ".join([*FORMATS, ".jsonl"])
            raise SourceError(f"files of this kind are not read; known: {known}")
        content = path.read_bytes()
        if not content.strip():
            raise SourceError("the file is empty")
        if path.suffix.lower() == ".tex":
            yield name, latex(name, content, _including(path, name, root, included))
        else:
            yield name, reader(name, content)
    except SourceError as error:
        yield name, error
    except OSError as error:
        yield name, SourceError(f"cannot be read ({error.strerror})")


def _jsonl(path: Path, name: str) -> Iterator[tuple[str, Raw | SourceError]]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                found = _record(line, name, number)
                yield found.name, found
            except SourceError as error:
                yield f"{name}:{number}", error


def _record(line: bytes, name: str, number: int) -> Raw:
    try:
        record = strict_json.loads(decode(line))
    except ValueError as error:
        raise SourceError(f"not a line of JSON ({error})") from error
    if not isinstance(record, dict):
        raise SourceError(f"a JSON {type(record).__name__}; expected an object")
    text = next((record[field] for field in TEXT_FIELDS if record.get(field)), None)
    if not isinstance(text, str):
        raise SourceError(f"no text; expected one of the fields {', '.join(TEXT_FIELDS)}")
    published = record.get("published") or record.get("date")
    return Raw(
        name=str(record.get("id") or f"{name}:{number}"),
        text=text,
        source=str(record.get("source") or f"{name}:{number}"),
        title=str(record.get("title") or ""),
        licence=str(record.get("licence") or record.get("license") or "") or None,
        published=iso_date(str(published)) if published else None,
    )
