"""Scores of copied and solved questions: RULERv2's, and strict ones."""

import re
from collections.abc import Sequence

from probes import score
from rows.row import Row

ANSWER = "Answer:"
_LETTER = re.compile(r"\W*([A-D])\b")
_THINKING = "</think>"


def words_right(prediction: str, reference: str) -> float:
    """1 minus the word error rate, at least 0: edits of whole words, over the words of the reference.

    It pays for what wrong copies share with the right one, such as "A)" and "B)".
    """
    said, wanted = prediction.split(), reference.split()
    if not wanted:
        return float(not said)
    row = list(range(len(wanted) + 1))
    for number, word in enumerate(said, start=1):
        above, row[0] = row[0], number
        for place, other in enumerate(wanted, start=1):
            above, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, above + (word != other)),
            )
    return max(0.0, 1 - row[-1] / len(wanted))


def final(prediction: str) -> str:
    """What follows the thoughts and the last ``Answer:``, or all of it."""
    return prediction.split(_THINKING)[-1].split(ANSWER)[-1]


def official(prediction: str, answers: Sequence[str], metric: str) -> float:
    """As RULERv2: for each answer, whether it stands there, or the share of words that are right; the
    mean, or the best one for ``part``. Letters: the first one that stands alone."""
    said = final(prediction)
    if metric == "letter":
        return letter(said, answers)
    found = [max(float(each in said), words_right(said, each)) for each in answers]
    return max(found) if metric == "part" else sum(found) / len(found)


def letter(prediction: str, answers: Sequence[str]) -> float:
    """1 if the prediction begins with a right letter."""
    found = _LETTER.match(prediction)
    return float(found is not None and found[1] in answers)


def strict(prediction: str, answers: Sequence[str], metric: str) -> float:
    """1 if what follows the last ``Answer:`` begins with the answers and nothing else, line by line."""
    said = final(prediction)
    if metric == "letter":
        return letter(said, answers)
    if metric == "set":
        return score.set_exact(said, answers)
    if metric == "part":
        return score.strict(said, answers)
    lines = [score.plain(line) for line in said.splitlines() if line.strip()]
    return float(lines[: len(answers)] == [score.plain(each) for each in answers])


def scores(row: Row, prediction: str) -> dict[str, float]:
    """``strict`` is the main one; errors in copies count in ``official`` only in part."""
    metric = row.meta["extra"]["metric"]
    found = strict(prediction, row.answers, metric)
    return {
        "score": found,
        "official": official(prediction, row.answers, metric),
        "strict": found,
    }
