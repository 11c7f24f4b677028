"""What the settings of a RULER data set name: the wording, the texts, the documents."""

import functools
from pathlib import Path

from ruler.families.code import Code
from ruler.families.essay import Essay
from ruler.prompts import PromptSet, get_prompts
from ruler.sources import download, official_prompts, qa_data
from ruler.sources import essays as essay_source
from ruler.sources.factbook import factbook
from ruler.tasks import NiahTask, QaTask, Task
from texts import catalogue


def find_prompts(name: str) -> PromptSet:
    """The prompt set of a name, or of a local copy of the original's files.

    Raises:
        ValueError: no such prompt set, or it cannot be had.
    """
    return get_prompts(name) if name == "suite" else official_prompts.load(name)


def find_text(task: Task, essays: str | Path | None) -> Essay | Code | None:
    """The text of a haystack of essays or code, if the task has one and it is asked for.

    Args:
        essays: a local corpus, ``download``, or the name of a text in prose.

    Raises:
        ValueError, FileNotFoundError: it cannot be had or used.
    """
    named = text_of(task, essays)
    if essays is not None and named is None and str(essays) != "download":
        _check_file("essays", essays)  # also where no task needs it: it was meant to be there
    if not isinstance(task, NiahTask):
        return None
    if task.text or (task.haystack == "essay" and named):
        return _hay(catalogue.load(str(named)))
    if essays is None or task.haystack != "essay":
        return None
    return Essay.load(essay_source.fetch() if str(essays) == "download" else essays)


@functools.lru_cache(maxsize=2)  # cutting the largest into sentences takes seconds
def _hay(corpus: catalogue.Corpus) -> Essay | Code:
    if corpus.kind == catalogue.CODE:
        return Code(corpus)
    return Essay("\n".join(each.text for each in corpus.documents))


def text_of(task: Task, essays: str | Path | None) -> str | None:
    """Name of the text that a task's haystack is made of, or that stands in for its essays.

    Raises:
        ValueError: code in place of essays.
    """
    if isinstance(task, NiahTask | QaTask) and task.text:
        return task.text
    if (name := str(essays)) not in catalogue.TEXTS:
        return None
    if catalogue.TEXTS[name].kind != catalogue.PROSE:
        raise ValueError(f"essays: {name} is code; as a haystack of its own it is haystack={name}")
    return name


def pin_of(task: Task, essays: str | Path | None) -> str | None:
    """Packages, versions and checksums of the texts that a task is made of; None if of none."""
    names: list[str | None] = []
    if isinstance(task, NiahTask) and (task.text or task.haystack == "essay"):
        names = [text_of(task, essays)]
    elif isinstance(task, QaTask):
        names = [task.source if task.source == catalogue.PROFILES else None, task.text]
    return "; ".join(catalogue.pin(name) for name in names if name) or None


def find_documents(
    task: Task, squad: str | Path | None, hotpotqa: str | Path | None, compat: bool, seed: int
) -> qa_data.QaData | None:
    """Documents and questions, if the task has any: of a local file, or downloaded.

    Args:
        seed: of the values that country profiles get from each other.

    Raises:
        ValueError, FileNotFoundError: they cannot be had or used.
    """
    for name, given in (("squad", squad), ("hotpotqa", hotpotqa)):
        if given is not None:
            _check_file(name, given)
    if not isinstance(task, QaTask):
        return None
    if task.source == catalogue.PROFILES:
        found = factbook(str(seed))
    else:
        remote, local = (
            (download.SQUAD, squad) if task.source == "squad" else (download.HOTPOTQA, hotpotqa)
        )
        path = download.fetch(remote) if local is None else Path(local)
        found = qa_data.load(task.source, path, compat)
    return found if task.text is None else found.among(catalogue.load(task.text))


def _check_file(setting: str, path: str | Path) -> None:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{setting}: no file {path}")
