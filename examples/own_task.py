"""A task of your own in the bench: rows, a score, and the rest (resume, records, tables) comes with it.

``python examples/own_task.py`` runs it on the embedded model under two methods. In the suite it would be
``bench/tasks/ledger.py``, with its line in ``bench/tasks/__init__.py`` and ``conf/task/ledger.yaml``.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from bench import tasks
from bench.cli.validate import to_spec
from bench.config.schema import Config, MethodConf, ModelConf, TaskConf
from bench.config.spec import TaskSpec
from bench.runs.run import execute
from bench.tasks.base import Task
from rows.row import Row

NAMES = ("calm-otter", "brave-heron", "quiet-maple", "amber-comet", "silver-fox")


@dataclass
class LedgerConf(TaskConf):
    """``lines``: of filler between two notes. ``samples``: contexts, with ``notes`` questions each."""

    name: str = "ledger"
    lines: int = 20
    notes: int = 3
    samples: int = 2
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class LedgerSpec(TaskSpec):
    """All that decides the rows; two runs share records exactly if their specs are equal."""

    lines: int


class Ledger(Task[LedgerConf, LedgerSpec]):
    """Numbers by name in a ledger; the score is the share of the digits that are right."""

    name: ClassVar[str] = "ledger"
    conf: ClassVar[type[TaskConf]] = LedgerConf

    def spec(self, config: LedgerConf) -> LedgerSpec:
        if config.lines < 1:
            raise ValueError(f"task.lines is {config.lines}; expected at least 1")
        return LedgerSpec(
            name=config.name,
            label=f"ledger-{config.lines}",
            prompts="suite",
            samples=config.samples,
            questions_per_context=config.notes,
            seed=config.seed,
            max_new_tokens=config.max_new_tokens,
            lines=config.lines,
        )

    def rows(self, spec: LedgerSpec, tokenizer: Any) -> Iterator[Row]:
        for number in range(spec.samples or 0):
            draw = random.Random(f"{spec.seed} {number}")
            names = draw.sample(NAMES, spec.questions_per_context or 1)
            values = [str(draw.randrange(1_000_000, 10_000_000)) for _ in names]
            notes = [
                f"Ledger note: of all numbers, {n} has {v}.\n"
                for n, v in zip(names, values, strict=True)
            ]
            context = ("The day is long.\n" * spec.lines).join(["", *notes, ""])
            for place, (name, value) in enumerate(zip(names, values, strict=True)):
                yield Row(
                    id=f"ledger-{number:04d}-q{place}",
                    task="ledger",
                    subtask=spec.label,
                    context=context,
                    question=f"Which number does the ledger give for {name}?",
                    answer_prefix=f" By the ledger, of all numbers, {name} has",
                    answers=[value],
                    max_new_tokens=12,
                    meta={"prompts": spec.prompts},
                )

    def score(self, spec: LedgerSpec, row: Row, prediction: str) -> dict[str, float]:
        wanted, found = row.answers[0], prediction.strip()
        digits = sum(a == b for a, b in zip(wanted, found, strict=False)) / len(wanted)
        return {"score": digits, "exact": float(found.startswith(wanted))}


def main() -> None:
    """Runs the example; records go to ``results/runs``, as of every task."""
    tasks.TASKS[Ledger.name] = Ledger()
    for method in (MethodConf(name="full"), MethodConf(name="squeezed", sparsity=0.7)):
        config = Config(
            model=ModelConf(name="mini", threads=1),
            task=LedgerConf(),
            method=method,
            cache_dir=None,
        )
        spec = to_spec(config)
        print(execute(spec).line(spec.title))


if __name__ == "__main__":
    main()
