"""The score of one prediction: what of it counts, its metric, and the best of the gold answers."""

from collections.abc import Sequence

from longbench.errors import LongBenchError
from longbench.scoring.metrics import BEHAVIOURS, METRICS, OFFICIAL
from longbench.tasks import get_task


def score(
    task: str,
    prediction: str,
    answers: Sequence[str],
    classes: Sequence[str] | None = None,
    behaviour: str = OFFICIAL,
) -> float:
    """The score of a prediction, in [0, 1]: the best over the gold answers.

    Args:
        task: a task, also of LongBench-E (``qasper_e``).
        prediction: the generated text as it came; nothing is stripped from it here, because blanks
            count in code.
        answers: the gold answers. classes: all labels of a classification task.
        behaviour: ``official`` or ``fixed``, see ``longbench.scoring.metrics``.

    Raises:
        LongBenchError: no such task or behaviour, no answer, or labels that are not there.
    """
    what = get_task(task)
    if behaviour not in BEHAVIOURS:
        raise LongBenchError(f"unknown behaviour {behaviour!r}; known: {', '.join(BEHAVIOURS)}")
    if not answers:
        raise LongBenchError("there is no answer to score against; a row has at least one")
    if what.metric == "classification" and not classes:
        raise LongBenchError(f"{task} is scored by its classes, and none were given")
    if what.first_line:
        prediction = first_line(prediction, behaviour)
    metric = METRICS[what.metric]
    return max(metric(prediction, gold, classes or (), behaviour) for gold in answers)


def first_line(prediction: str, behaviour: str = OFFICIAL) -> str:
    """The first line of an answer to a few-shot task, after which models make up another example.

    Officially only newlines are skipped in front, so an answer that begins with a blank and a
    newline counts as empty; ``fixed`` takes the first line with anything on it.
    """
    if behaviour == OFFICIAL:
        return prediction.lstrip("\n").split("\n")[0]
    return next((line for line in prediction.split("\n") if line.strip()), "")
