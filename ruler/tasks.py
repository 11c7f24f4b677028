"""The standard RULER needle tasks and their parameters (RULER, arXiv 2404.06654, appendix B)."""

from dataclasses import dataclass, replace

HAYSTACKS = ("noise", "needle", "essay")
TYPES = ("words", "numbers", "uuids")


@dataclass(frozen=True)
class NiahTask:
    """Parameters of a needle-in-a-haystack task.

    Attributes:
        name: name under which rows and records appear.
        haystack: ``noise`` (a repeated block), ``needle`` (distractor needles) or ``essay``.
        key_type, value_type: ``words``, ``numbers`` or ``uuids``.
        keys: needles' keys; values: values per key; queries: keys asked for in one question.
        max_new_tokens: tokens reserved for the answer.
    """

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
            raise ValueError(f"haystack is {self.haystack!r}; expected one of {', '.join(HAYSTACKS)}")
        for field in ("key_type", "value_type"):
            if getattr(self, field) not in TYPES:
                raise ValueError(
                    f"{field} is {getattr(self, field)!r}; expected one of {', '.join(TYPES)}"
                )
        for field in ("keys", "values", "queries", "max_new_tokens"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}; expected at least 1")
        # The original raises the number of keys to the number of queried keys.
        object.__setattr__(self, "keys", max(self.keys, self.queries))


TASKS: dict[str, NiahTask] = {
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
    )
}


def get_task(name: str) -> NiahTask:
    """The standard task of that name.

    Raises:
        ValueError: no such task.
    """
    if name not in TASKS:
        raise ValueError(f"unknown RULER task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]


def with_questions(task: NiahTask, questions_per_context: int) -> NiahTask:
    """The task with enough keys for several questions on one context.

    A needle haystack has a needle to ask for in every sentence, so it stays as it is. Elsewhere more
    keys are planted when needed; the task then differs from the standard one and gets another name.
    """
    wanted = task.queries * questions_per_context
    if task.haystack == "needle" or wanted <= task.keys:
        return task
    return replace(task, name=f"{task.name}-keys{wanted}", keys=wanted)
