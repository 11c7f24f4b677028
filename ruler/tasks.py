"""The standard RULER tasks and their parameters (RULER, arXiv 2404.06654, appendix B)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from texts.catalogue import TEXTS

HAYSTACKS = ("noise", "needle", "essay", *TEXTS)
DOCUMENTS = ("squad", "hotpotqa", "factbook")
TYPES = ("words", "numbers", "uuids")

# More than a million tokens hold, and few enough that different names and numbers are found quickly.
MOST_PLANTED, MOST_HOPS, MOST_TIMES, MOST_LETTERS = 80_000, 10_000, 10_000, 1000


@dataclass(frozen=True)
class NiahTask:
    """Parameters of a needle-in-a-haystack task.

    Attributes:
        name: name under which rows and records appear.
        haystack: ``noise`` (a repeated block), ``needle`` (distractor needles), ``essay``, or a text by
            name (``texts.catalogue``).
        key_type, value_type: ``words``, ``numbers`` or ``uuids``.
        keys: needles' keys; values: values per key; queries: keys asked for in one question.
        max_new_tokens: tokens reserved for the answer; more where changed parameters make it longer
            (``says_more``).
    """

    family: ClassVar[str] = "niah"

    name: str
    haystack: str
    key_type: str = "words"
    value_type: str = "numbers"
    keys: int = 1
    values: int = 1
    queries: int = 1
    max_new_tokens: int = 128

    def __post_init__(self) -> None:
        if self.haystack not in HAYSTACKS:
            raise ValueError(
                f"haystack is {self.haystack!r}; expected one of {', '.join(HAYSTACKS)}"
            )
        for field in ("key_type", "value_type"):
            if getattr(self, field) not in TYPES:
                raise ValueError(
                    f"{field} is {getattr(self, field)!r}; expected one of {', '.join(TYPES)}"
                )
        _at_least_one(self, "keys", "values", "queries", "max_new_tokens")
        # The original raises the number of keys to the number of queried keys.
        object.__setattr__(self, "keys", max(self.keys, self.queries))
        if self.keys * self.values > MOST_PLANTED:
            raise ValueError(
                f"{self.keys} keys with {self.values} values each are too many; expected at most "
                f"{MOST_PLANTED} values in all"
            )

    @property
    def text(self) -> str | None:
        """The text by name that the haystack is made of, if it is one."""
        return self.haystack if self.haystack in TEXTS else None


@dataclass(frozen=True)
class VtTask:
    """Variable tracking: ``chains`` chains of one number and ``hops`` names after the first."""

    family: ClassVar[str] = "vt"

    name: str = "vt"
    chains: int = 1
    hops: int = 4
    max_new_tokens: int = 30

    def __post_init__(self) -> None:
        _at_least_one(self, "chains", "hops", "max_new_tokens")
        _at_most(MOST_HOPS, self, "hops")
        if self.chains * (self.hops + 1) > MOST_PLANTED:
            raise ValueError(
                f"{self.chains} chains of {self.hops + 1} statements are too many; expected at most "
                f"{MOST_PLANTED} statements in all"
            )


@dataclass(frozen=True)
class CweTask:
    """Common words: ``common`` words come ``common_count`` times, the others ``other_count`` times.

    Samples below 4,096 tokens use the ``short_`` counts.
    """

    family: ClassVar[str] = "cwe"

    name: str = "cwe"
    common: int = 10
    common_count: int = 30
    other_count: int = 3
    short_common_count: int = 6
    short_other_count: int = 1
    max_new_tokens: int = 120

    def __post_init__(self) -> None:
        _at_least_one(self, "common", "other_count", "short_other_count", "max_new_tokens")
        _at_most(MOST_TIMES, self, "common_count", "short_common_count")
        for often, seldom in (
            ("common_count", "other_count"),
            ("short_common_count", "short_other_count"),
        ):
            if getattr(self, often) <= getattr(self, seldom):
                raise ValueError(
                    f"{often} is {getattr(self, often)}; expected more than "
                    f"{seldom}={getattr(self, seldom)}, or no word is more common than another"
                )


@dataclass(frozen=True)
class FweTask:
    """Frequent words: the ``answers`` most frequent code words; ``alpha`` is the Zipf exponent.

    The very most frequent one is replaced by dots and not asked for.
    """

    family: ClassVar[str] = "fwe"

    name: str = "fwe"
    alpha: float = 2.0
    word_length: int = 6
    answers: int = 3
    max_new_tokens: int = 50

    def __post_init__(self) -> None:
        _at_least_one(self, "word_length", "answers", "max_new_tokens")
        _at_most(MOST_LETTERS, self, "word_length")
        if not self.alpha > 1:
            raise ValueError(f"alpha is {self.alpha}; expected more than 1, or no word stands out")


@dataclass(frozen=True)
class QaTask:
    """Question answering over documents.

    Attributes:
        source: the data set of questions: ``squad``, ``hotpotqa``, or ``factbook`` (country profiles with
            swapped values).
        haystack: the documents around those that are needed: ``documents`` of the data set, or the
            paragraphs of a text by name.
    """

    family: ClassVar[str] = "qa"

    name: str
    source: str
    haystack: str = "documents"
    max_new_tokens: int = 32

    def __post_init__(self) -> None:
        if self.source not in DOCUMENTS:
            raise ValueError(f"source is {self.source!r}; expected one of {', '.join(DOCUMENTS)}")
        known = ("documents", *TEXTS)
        if self.haystack not in known:
            raise ValueError(f"haystack is {self.haystack!r}; expected one of {', '.join(known)}")
        _at_least_one(self, "max_new_tokens")

    @property
    def text(self) -> str | None:
        """The text by name that the other documents are taken from, if there is one."""
        return self.haystack if self.haystack in TEXTS else None


def _at_least_one(task: Any, *names: str) -> None:
    for name in names:
        if getattr(task, name) < 1:
            raise ValueError(f"{name} is {getattr(task, name)}; expected at least 1")


def _at_most(most: int, task: Any, *names: str) -> None:
    for name in names:
        if getattr(task, name) > most:
            raise ValueError(f"{name} is {getattr(task, name)}; expected at most {most}")


Task = NiahTask | VtTask | CweTask | FweTask | QaTask

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        NiahTask("niah_single_1", "noise"),
        NiahTask("niah_single_2", "essay"),
        NiahTask("niah_single_3", "essay", value_type="uuids"),
        NiahTask("niah_multikey_1", "essay", keys=4),
        NiahTask("niah_multikey_2", "needle"),
        NiahTask("niah_multikey_3", "needle", key_type="uuids", value_type="uuids"),
        NiahTask("niah_multivalue", "essay", values=4),
        NiahTask("niah_multiquery", "essay", queries=4),
        VtTask(),
        CweTask(),
        FweTask(),
        QaTask("qa_1", "squad"),
        QaTask("qa_2", "hotpotqa"),
    )
}

# Parameters that a task may be given; each makes another task of it.
OVERRIDABLE = (
    *(
        "haystack",
        "source",
        "key_type",
        "value_type",
        "keys",
        "values",
        "queries",
        "chains",
        "hops",
    ),
    *("common", "common_count", "other_count", "short_common_count", "short_other_count"),
    *("alpha", "word_length", "answers"),
)

# Those of them by which an answer gets longer.
SPOKEN = ("value_type", "values", "queries", "hops", "common", "answers", "word_length")


def get_task(name: str) -> Task:
    """The standard task of that name.

    Raises:
        ValueError: no such task.
    """
    if name not in TASKS:
        raise ValueError(f"unknown RULER task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]


def with_parameters(task: Task, changes: Mapping[str, Any]) -> Task:
    """The task with other parameters, and where one differs, with a name that says so.

    Args:
        changes: from ``OVERRIDABLE``; None means unchanged.

    Raises:
        ValueError: a parameter that the task does not have, or an impossible value.
    """
    known = [field.name for field in fields(task) if field.name in OVERRIDABLE]
    given = {name: value for name, value in changes.items() if value is not None}
    for name in given:
        if name not in known:
            has = ", ".join(known)
            raise ValueError(f"task {task.name} has no parameter {name!r}; it has {has}")
    changed = replace(task, **given)
    name = task.name
    for field in known:
        if (value := getattr(changed, field)) != getattr(task, field):
            name += f"-{_spelled(field, value)}"
    return replace(changed, name=name)


def says_more(task: Task, other: Task) -> bool:
    """Whether other parameters change what an answer to ``task`` has to say, so that its room may not do."""
    return any(getattr(task, name, None) != getattr(other, name, None) for name in SPOKEN)


def _spelled(field: str, value: Any) -> str:
    """A parameter in a task's name, for instance ``keys8``, ``alpha3.5``, ``value_uuids``."""
    if field in ("key_type", "value_type"):
        return f"{field.removesuffix('_type')}_{value}"
    return value if field in ("haystack", "source") else f"{field.replace('_', '')}{value:g}"


def with_questions(task: Task, questions_per_context: int) -> Task:
    """The task with something to ask for in each of several questions on one context.

    A needle haystack has a needle to ask for in every sentence, so it stays as it is. Elsewhere
    more keys (or chains) are planted when needed; the task then differs from the standard one and
    gets another name.

    Raises:
        ValueError: fewer than one question, or several for a task that has only one to ask.
    """
    if questions_per_context < 1:
        raise ValueError(f"questions_per_context is {questions_per_context}; expected at least 1")
    if isinstance(task, VtTask):
        if questions_per_context <= task.chains:
            return task
        name = f"{task.name}-chains{questions_per_context}"
        return replace(task, name=name, chains=questions_per_context)
    if isinstance(task, QaTask):
        # More than one document holds an answer, so it is easier or harder than the standard task.
        one = questions_per_context == 1
        return task if one else replace(task, name=f"{task.name}-questions{questions_per_context}")
    if not isinstance(task, NiahTask):
        if questions_per_context > 1:
            raise ValueError(
                f"task {task.name} has one question per context, not {questions_per_context}: "
                "use questions_per_context=1"
            )
        return task
    wanted = task.queries * questions_per_context
    if task.haystack == "needle" or wanted <= task.keys:
        return task
    return replace(task, name=f"{task.name}-keys{wanted}", keys=wanted)
