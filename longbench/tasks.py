# ruff: noqa: RUF001 - Chinese text has Chinese punctuation
"""LongBench's 21 tasks: what each is made of, and how it is asked, ended and scored.

Facts are those of the benchmark (Bai et al., ACL 2024, and its repository): groups, metrics, limits
of generation, chat-template rule, first-line rule, the 13 tasks of LongBench-E, and the 14 tasks
that the Squeezed Attention paper reports.
"""

from dataclasses import dataclass, field

from longbench.errors import LongBenchError

SINGLE, MULTI, SUMMARY = "Single-Document QA", "Multi-Document QA", "Summarization"
FEW_SHOT, SYNTHETIC, CODE = "Few-shot Learning", "Synthetic Tasks", "Code Completion"
GROUPS = (SINGLE, MULTI, SUMMARY, FEW_SHOT, SYNTHETIC, CODE)
EXTENDED = "_e"  # ending of a LongBench-E task's name and file


@dataclass(frozen=True)
class Labels:
    """The words of a template between which its user part lies; see ``longbench.prompting.template``.

    Attributes:
        question: one of these stands right before the input; empty where the input has no label.
        answer: one of these ends the template, or the input itself if ``answer_in_input``.
        has_input: the template has a place for the input.
        input_follows: the user part begins with the input, whatever stands before it; otherwise it
            begins with the first word after the context.
    """

    question: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    answer_in_input: bool = False
    has_input: bool = True
    input_follows: bool = False


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: also the name of its file.
        group: one of ``GROUPS``. language: ``en``, ``zh`` or ``code``.
        metric: of ``longbench.scoring.score``.
        max_new_tokens: tokens generated at most.
        labels: where its template is split.
        chat: the chat template is applied. first_line: only the answer's first line is scored.
        newline_stop: a newline ends the answer.
        extended: also in LongBench-E. paper: among the paper's 14 tasks.
        user_tokens: what a user input is expected to take at most.
    """

    name: str
    group: str
    language: str
    metric: str
    max_new_tokens: int
    labels: Labels = field(repr=False)
    chat: bool = True
    first_line: bool = False
    newline_stop: bool = False
    extended: bool = False
    paper: bool = False
    user_tokens: int = 512


_QUESTION = Labels(("Question: ",), ("Answer:",))
_QUESTION_ZH = Labels(("问题：",), ("回答：",))
_SUMMARY = Labels(answer=("Summary:",), has_input=False)
_NEXT_LINE = ("Next line of code:\n", "The next line:\n")
_ABSTRACT = Labels(answer=("The answer is: ", "Answer:"), input_follows=True)
_ABSTRACT_ZH = Labels(answer=("答案是：", "回答："), input_follows=True)

_ALL = (
    Task("narrativeqa", SINGLE, "en", "qa_f1", 128, _QUESTION, paper=True),
    Task("qasper", SINGLE, "en", "qa_f1", 128, _QUESTION, extended=True, paper=True),
    Task("multifieldqa_en", SINGLE, "en", "qa_f1", 64, _QUESTION, extended=True, paper=True),
    Task("multifieldqa_zh", SINGLE, "zh", "qa_f1_zh", 64, _QUESTION_ZH),
    Task("hotpotqa", MULTI, "en", "qa_f1", 32, _QUESTION, extended=True, paper=True),
    Task("2wikimqa", MULTI, "en", "qa_f1", 32, _QUESTION, extended=True, paper=True),
    Task("musique", MULTI, "en", "qa_f1", 32, _QUESTION, paper=True),
    Task("dureader", MULTI, "zh", "rouge_zh", 128, _QUESTION_ZH),
    Task("gov_report", SUMMARY, "en", "rouge", 512, _SUMMARY, extended=True, paper=True),
    Task("qmsum", SUMMARY, "en", "rouge", 512, Labels(("Query: ",), ("Answer:",)), paper=True),
    Task("multi_news", SUMMARY, "en", "rouge", 512, _SUMMARY, extended=True, paper=True),
    Task(
        "vcsum",
        SUMMARY,
        "zh",
        "rouge_zh",
        512,
        Labels(answer=("会议总结：",), has_input=False),
    ),
    Task(
        "trec",
        FEW_SHOT,
        "en",
        "classification",
        64,
        Labels(answer=("Type:",), answer_in_input=True),
        chat=False,
        first_line=True,
        extended=True,
        paper=True,
    ),
    Task(
        "triviaqa",
        FEW_SHOT,
        "en",
        "qa_f1",
        32,
        Labels(answer=("Answer:",), answer_in_input=True),
        chat=False,
        first_line=True,
        extended=True,
        paper=True,
        user_tokens=4096,
    ),
    Task(
        "samsum",
        FEW_SHOT,
        "en",
        "rouge",
        128,
        Labels(answer=("Summary:",), answer_in_input=True),
        chat=False,
        first_line=True,
        newline_stop=True,
        extended=True,
        paper=True,
        user_tokens=2048,
    ),
    Task(
        "lsht",
        FEW_SHOT,
        "zh",
        "classification",
        64,
        Labels(),
        chat=False,
        first_line=True,
        user_tokens=8192,
    ),
    Task(
        "passage_count",
        SYNTHETIC,
        "en",
        "count",
        32,
        Labels(answer=("The final answer is: ", "Answer:"), has_input=False),
        extended=True,
    ),
    Task(
        "passage_retrieval_en",
        SYNTHETIC,
        "en",
        "retrieval",
        32,
        _ABSTRACT,
        extended=True,
        user_tokens=1536,
    ),
    Task("passage_retrieval_zh", SYNTHETIC, "zh", "retrieval_zh", 32, _ABSTRACT_ZH, user_tokens=1536),
    Task(
        "lcc",
        CODE,
        "code",
        "code_sim",
        64,
        Labels(answer=_NEXT_LINE, has_input=False),
        chat=False,
        extended=True,
        paper=True,
    ),
    Task(
        "repobench-p",
        CODE,
        "code",
        "code_sim",
        64,
        Labels(answer=_NEXT_LINE),
        chat=False,
        extended=True,
        paper=True,
        user_tokens=8192,
    ),
)  # fmt: skip

TASKS = {task.name: task for task in _ALL}
EXTENDED_TASKS = tuple(task.name for task in _ALL if task.extended)
PAPER_TASKS = tuple(task.name for task in _ALL if task.paper)


def get_task(name: str) -> Task:
    """The task of a name or of a LongBench-E name (``qasper_e``).

    Raises:
        LongBenchError: there is none.
    """
    base = name.removesuffix(EXTENDED)
    if base in TASKS and (base == name or TASKS[base].extended):
        return TASKS[base]
    if base in TASKS:
        raise LongBenchError(
            f"{base} is not in LongBench-E; its tasks are {', '.join(EXTENDED_TASKS)}"
        )
    known = ", ".join(TASKS)
    raise LongBenchError(
        f"unknown LongBench task {name!r}; known: {known}, those of LongBench-E with _e behind, and v2"
    )
