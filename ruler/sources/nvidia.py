"""Rows as NVIDIA's own generator writes them: one prompt a line, context and question in one text.

Its files are ``TASK/validation.jsonl`` with ``index``, ``input``, ``outputs``, ``length`` and
``answer_prefix``. No field names the task, so the folder or the file must. The prompt is cut where the
question begins: every task's question opens with words of its own, and stands last.
"""

from pathlib import Path
from typing import Any

from rows import strict_json
from rows.row import Row, RowError
from ruler.tasks import TASKS

# How the user part of each family begins, in the original's wording (constants.py of its data/synthetic).
OPENINGS = {
    "niah": ("What are all the special magic", "What is the special magic"),
    "vt": ("Question: Find all variables",),
    "cwe": ("Question: What are the",),
    "fwe": ("Question: Do not provide any explanation",),
    "qa": ("Answer the question based on the given documents",),
}


def is_nvidia(fields: Any) -> bool:
    """Whether the object of a first line is such a row."""
    return isinstance(fields, dict) and "input" in fields and "outputs" in fields


def task_of(file: Path) -> str:
    """The task that a file's name, or a folder above it, is called after.

    Raises:
        RowError: none is.
    """
    for part in (file.stem, *(each.name for each in file.absolute().parents)):
        if part in TASKS:
            return part
    raise RowError(
        f"{file}: rows as NVIDIA's generator writes them name no task; call the file or its folder after "
        f"it, as in niah_single_1/{file.name}; known: {', '.join(TASKS)}"
    )


def row(fields: dict[str, Any], number: int, file: Path) -> Row:
    """The row of one line.

    Args:
        number: of the line, from 1; it makes the id, because ``index`` repeats in the original's files.

    Raises:
        RowError: a field is missing or of another type, or the question's beginning is not found.
    """
    name = task_of(file)
    where = f"{file}:{number}"
    prompt, answers = fields["input"], fields["outputs"]
    if not isinstance(prompt, str):
        raise RowError(f"{where}: field 'input' is {str(prompt)[:60]!r}; expected a string")
    if not isinstance(answers, list):
        raise RowError(f"{where}: field 'outputs' is {str(answers)[:60]!r}; expected a list")
    task = TASKS[name]
    openings = OPENINGS[task.family]
    border = max(prompt.rfind(opening) for opening in openings)
    if border < 1:
        raise RowError(
            f"{where}: found no question of {name}; expected {' or '.join(map(repr, openings))} after the "
            "context, as in the original's wording"
        )
    try:
        return Row(
            id=f"{name}-{number:05d}",
            task="ruler",
            subtask=name,
            context=prompt[:border],
            question=prompt[border:],
            answer_prefix=fields.get("answer_prefix", ""),
            answers=[str(answer) for answer in answers],
            max_new_tokens=task.max_new_tokens,
            meta={"prompts": "official", "index": fields.get("index")},
        )
    except RowError as error:
        raise RowError(f"{where}: {error}") from error


def read(file: Path) -> list[Row]:
    """All rows of a file, in order; blank lines are skipped.

    Raises:
        RowError: as ``row``, or a line that is no JSON object with those fields.
    """
    found = []
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                fields = strict_json.loads(line)
            except ValueError as error:
                raise RowError(f"{file}:{number}: not a line of JSON ({error})") from error
            if not is_nvidia(fields):
                raise RowError(f"{file}:{number}: has no 'input' and 'outputs', as lines before it")
            found.append(row(fields, number, file))
    return found
