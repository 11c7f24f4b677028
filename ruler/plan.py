"""The checked settings of a RULER data set."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rows.tokens import TokenCounter
from ruler.families.choose import Material, draw_sample
from ruler.families.essay import Essay
from ruler.families.sample import Draw
from ruler.families.vt import VtDraw
from ruler.fit import largest_fitting
from ruler.prompts import PromptSet, get_prompts
from ruler.sources import download, official_prompts, qa_data
from ruler.sources import essays as essay_source
from ruler.tasks import NiahTask, QaTask, Task, VtTask, get_task, with_parameters, with_questions

# Part of every row: rows of two formats, or of two word lists, are not the same data.
GENERATOR = f"1/wonderwords-{version('wonderwords')}"
NOT_META = ("name", "max_new_tokens", "haystack")  # have places of their own in a row
DEMO_TOKENS = 500  # of the original's worked example of variable tracking, answer included


@dataclass(frozen=True)
class Plan:
    """All settings of a data set, checked.

    Attributes:
        task: the task as asked for; it carries the name.
        laid_out: the same with the haystack that is used.
        length: tokens of everything: BOS or chat template, context, longest user input, answer.
        samples: contexts. questions: questions on each of them.
        compat: as the original where it differs, for comparisons with its data: places in the text
            come from the seed alone, so that they are the same in all samples of one size (of the
            words to count, and of the documents, the answer's among them); questions are taken in
            the file's order; all ten paragraphs of a HotpotQA question are kept; words may hold
            blanks and hyphens; the worked example of variable tracking fills 500 tokens.
    """

    task: Task
    laid_out: Task
    tokens: TokenCounter
    prompts: PromptSet
    length: int
    samples: int
    seed: int
    questions: int
    compat: bool = False
    material: Material = field(default_factory=Material)

    @property
    def reserved(self) -> int:
        """Tokens of what is neither context nor user input: BOS or chat template, and answer."""
        return len(self.tokens.frame) + self.task.max_new_tokens

    def seed_of(self, index: int, length: int) -> str:
        """The seed of one sample, which depends neither on other samples nor on the tokenizer."""
        return f"{self.seed}/{self.task.name}/{length}/{index}"

    def draw(self, index: int, length: int) -> Draw:
        """The random choices of sample ``index`` at ``length`` tokens."""
        return draw_sample(
            self.laid_out,
            self.prompts,
            self.seed_of(index, length),
            questions=self.questions,
            length=length,
            index=index,
            material=self.material,
        )

    def settings(self) -> dict[str, Any]:
        """What decides the text of the rows, as it stands in every row's ``meta``."""
        haystack: dict[str, Any] = {}
        if isinstance(self.task, NiahTask) and isinstance(self.laid_out, NiahTask):
            haystack = {
                "haystack": self.laid_out.haystack,
                "haystack_standard": self.task.haystack,
            }
        parameters = asdict(self.task)
        essay, qa = self.material.essay, self.material.qa
        return {
            "length": self.length,
            "seed": self.seed,
            "prompts": self.prompts.name,
            "questions_per_context": self.questions,
            **{name: parameters[name] for name in parameters if name not in NOT_META},
            **haystack,
            "essays": essay.fingerprint if essay else None,
            **({"documents": qa.fingerprint} if qa else {}),
            **({"chat": True} if self.tokens.frame.chat else {}),
            **({"compat": True} if self.compat else {}),
            "tokenizer_fingerprint": self.tokens.fingerprint,
            "generator": GENERATOR,
        }


def make_plan(
    task: str | Task,
    tokenizer: Any,
    length: int,
    samples: int,
    seed: int = 42,
    prompts: str = "suite",
    questions_per_context: int = 1,
    essays: str | Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    squad: str | Path | None = None,
    hotpotqa: str | Path | None = None,
    chat: bool = False,
    compat: bool = False,
) -> Plan:
    """Checks the settings of a data set; arguments and errors are those of ``generate``."""
    if isinstance(task, str):
        task = get_task(task)
    if samples < 1:
        raise ValueError(f"samples is {samples}; expected at least 1")
    if length < 1:
        raise ValueError(f"length is {length}; expected a positive number of tokens")
    wording = find_prompts(prompts)
    task = with_questions(with_parameters(task, parameters or {}), questions_per_context)
    essay = find_essay(task, essays)
    laid_out = task
    if isinstance(task, NiahTask) and task.haystack == "essay" and essay is None:
        laid_out = replace(task, haystack="noise")
    qa = find_documents(task, squad, hotpotqa, compat)
    counter = tokenizer if isinstance(tokenizer, TokenCounter) else TokenCounter(tokenizer, chat)
    material = Material(
        essay=essay,
        qa=qa,
        order=str(seed) if compat else None,
        raw_words=compat,
        items_seed=None if compat else f"{seed}/{task.name}/items",
    )
    if compat and isinstance(task, VtTask):
        blocks = _demo_blocks(task, wording, counter, questions_per_context)
        material = replace(material, demo_blocks=blocks)
    if qa is not None:
        material.items(samples - 1, questions_per_context)  # whether there are enough
    return Plan(
        task=task,
        laid_out=laid_out,
        tokens=counter,
        prompts=wording,
        length=length,
        samples=samples,
        seed=seed,
        questions=questions_per_context,
        compat=compat,
        material=material,
    )


def find_prompts(name: str) -> PromptSet:
    """The prompt set of a name, or of a local copy of the original's files.

    Raises:
        ValueError: no such prompt set, or it cannot be had.
    """
    return get_prompts(name) if name == "suite" else official_prompts.load(name)


def find_essay(task: Task, source: str | Path | None) -> Essay | None:
    """The text of an essay haystack, if the task has one and it is asked for.

    Raises:
        ValueError, FileNotFoundError: it cannot be had or used.
    """
    downloaded = str(source) == "download"
    if source is not None and not downloaded:
        _check_file("essays", source)  # also where no task needs it: it was meant to be there
    if source is None or not isinstance(task, NiahTask) or task.haystack != "essay":
        return None
    return Essay.load(essay_source.fetch() if downloaded else source)


def find_documents(
    task: Task, squad: str | Path | None, hotpotqa: str | Path | None, compat: bool
) -> qa_data.QaData | None:
    """Documents and questions, if the task has any: of a local file, or downloaded.

    Raises:
        ValueError, FileNotFoundError: they cannot be had or used.
    """
    for name, given in (("squad", squad), ("hotpotqa", hotpotqa)):
        if given is not None:
            _check_file(name, given)
    if not isinstance(task, QaTask):
        return None
    remote, local = (
        (download.SQUAD, squad) if task.source == "squad" else (download.HOTPOTQA, hotpotqa)
    )
    path = download.fetch(remote) if local is None else Path(local)
    return qa_data.load(task.source, path, compat)


def _check_file(setting: str, path: str | Path) -> None:
    if not Path(path).is_file():
        raise FileNotFoundError(f"{setting}: no file {path}")


def _demo_blocks(task: VtTask, prompts: PromptSet, counter: TokenCounter, questions: int) -> int:
    def tokens(blocks: int) -> int:
        return counter.count(VtDraw(task, prompts, "demo", questions, blocks).demo())

    return largest_fitting(tokens, task.hops + 1, DEMO_TOKENS)
