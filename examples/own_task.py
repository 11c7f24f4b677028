"""A task of your own in the bench: rows, a score, and the rest (resume, records, tables) comes with it.

``python examples/own_task.py`` runs it on the embedded model under two methods. In the suite the class would be
``bench/tasks/parity.py``, with its line in ``bench/tasks/__init__.py`` and ``conf/task/parity.yaml``.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from bench import tasks
from bench.config import Config, MethodConf, ModelConf, TaskConf
from bench.run import execute
from bench.spec import TaskSpec
from bench.tasks.base import Task
from bench.validate import to_spec
from ruler.rows import Row


@dataclass
class ParityConf(TaskConf):
    """``lines``: of each context. ``samples``: contexts, with one question each."""

    name: str = "parity"
    lines: int = 60
    samples: int = 2
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ParitySpec(TaskSpec):
    """All that decides the rows; two runs share records exactly if their specs are equal."""

    lines: int


class Parity(Task[ParityConf, ParitySpec]):
    """Is the number of a name in the list even or odd?"""

    name: ClassVar[str] = "parity"
    conf: ClassVar[type[TaskConf]] = ParityConf

    def spec(self, config: ParityConf) -> ParitySpec:
        if config.lines < 1:
            raise ValueError(f"task.lines is {config.lines}; expected at least 1")
        return ParitySpec(
            name=config.name,
            label=f"parity-{config.lines}",
            prompts="suite",
            samples=config.samples,
            seed=config.seed,
            max_new_tokens=config.max_new_tokens,
            lines=config.lines,
        )

    def rows(self, spec: ParitySpec, tokenizer: Any) -> Iterator[Row]:
        for number in range(spec.samples or 0):
            draw = random.Random(f"{spec.seed} {number}")
            values = [draw.randrange(1000, 10000) for _ in range(spec.lines)]
            asked = draw.randrange(spec.lines)
            yield Row(
                id=f"parity-{number:04d}",
                task="parity",
                subtask=spec.label,
                context="".join(f"Name {i} has the number {v}.\n" for i, v in enumerate(values)),
                question=f"Is the number of name {asked} even or odd?",
                answer_prefix=f" The number of name {asked} is",
                answers=["odd" if values[asked] % 2 else "even"],
                max_new_tokens=4,
                meta={"prompts": spec.prompts},
            )

    def score(self, spec: ParitySpec, row: Row, prediction: str) -> dict[str, float]:
        return {"score": float(prediction.strip().lower().startswith(row.answers[0]))}


def main() -> None:
    """Runs the example; records go to ``results/runs``, as of every task."""
    tasks.TASKS["parity"] = Parity()
    for method in (MethodConf(name="full"), MethodConf(name="squeezed", sparsity=0.7)):
        config = Config(
            model=ModelConf(name="mini", threads=1), task=ParityConf(), method=method, cache_dir=None
        )
        spec = to_spec(config)
        print(execute(spec).line(spec.title))


if __name__ == "__main__":
    main()
