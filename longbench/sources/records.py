"""Records of the official data files, checked line by line."""

import codecs
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from tqdm import tqdm

from longbench.errors import LongBenchError
from longbench.scoring.metrics import METRICS
from longbench.tasks import EXTENDED, Task
from rows import strict_json

Parsed = TypeVar("Parsed")
MOST = 1 << 53  # a length beyond this is no length


@dataclass(frozen=True)
class Record:
    """One record of LongBench or LongBench-E, with the fields of the official files.

    Attributes:
        input: the question, or the last of the examples; may be empty.
        answers: gold answers, at least one. classes: all labels; none outside classification.
        length: words, or characters in Chinese, as the file says.
        source_id: the record's ``_id``.
    """

    input: str
    context: str
    answers: tuple[str, ...]
    classes: tuple[str, ...]
    length: int
    language: str
    source_id: str


def parse(fields: dict[str, Any], task: Task) -> Record:
    """A record of a task.

    Raises:
        LongBenchError: a field is missing or has a value that cannot be asked or scored.
    """
    need = Fields(fields)
    of = fields.get("dataset")
    if of is not None and of not in (task.name, task.name + EXTENDED):
        raise LongBenchError(
            f"field 'dataset' is {of!r}; expected {task.name!r}: another task's file"
        )
    classes = fields.get("all_classes")
    record = Record(
        input=need.text("input", empty=True),
        context=need.text("context"),
        answers=need.texts("answers"),
        classes=() if classes is None else need.texts("all_classes"),
        length=need.number("length"),
        language=str(fields.get("language") or task.language),
        source_id=str(fields.get("_id") or ""),
    )
    if task.labels.has_input and task.metric != "code_sim" and not record.input.strip():
        raise LongBenchError("field 'input' is empty; this task's prompt asks what stands there")
    if task.metric == "classification" and not record.classes:
        raise LongBenchError("field 'all_classes' is empty; this task is scored by its classes")
    if task.metric.startswith("retrieval"):
        for answer in record.answers:
            METRICS[task.metric]("", answer, (), "official")  # a gold answer without a paragraph
    return record


class Fields:
    """The fields of one record, each taken with the type that it must have."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str, empty: bool = False) -> str:
        """A string; not a blank one, unless ``empty``."""
        value = self._get(name)
        if not isinstance(value, str) or not (empty or value.strip()):
            self._refuse(name, value, "a string" if empty else "a string that is not empty")
        try:
            value.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON lets through
            self._refuse(name, value, "text that UTF-8 can hold")
        return str(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of at least one string."""
        value = self._get(name)
        if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
            self._refuse(name, value, "a list of at least one string")
        return tuple(value)

    def number(self, name: str) -> int:
        """A whole number, not negative."""
        value = self._get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value < MOST or value != int(value):
            self._refuse(name, value, "a whole number")
        return int(value)

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        """One of the strings allowed."""
        value = self._get(name)
        if value not in allowed:
            self._refuse(name, value, "one of " + ", ".join(allowed))
        return str(value)

    def _get(self, name: str) -> Any:
        if name not in self._fields:
            seen = ", ".join(map(repr, self._fields))
            raise LongBenchError(
                f"field {name!r} is missing (there are {seen}); expected the official format - a "
                "mirror that has put the prompts into its contexts already cannot be used"
            )
        return self._fields[name]

    @staticmethod
    def _refuse(name: str, value: Any, wanted: str) -> None:
        seen = repr(value)
        seen = seen if len(seen) <= 60 else seen[:57] + "..."
        raise LongBenchError(f"field {name!r} is {seen}; expected {wanted}")


def read(
    content: bytes, where: str, make: Callable[[dict[str, Any]], Parsed], title: str
) -> list[Parsed]:
    """All records of a file's content: JSON lines, a JSON list, or Parquet.

    Args:
        where: the file's name for messages. make: parses one record. title: of the progress bar.

    Raises:
        LongBenchError: a record is malformed, with file and line; or there is none.
    """
    found: list[Parsed] = []
    # disable=None: no bar where stderr is not a terminal.
    for place, fields in tqdm(
        _objects(content, where), title, unit="row", disable=None, leave=False
    ):
        try:
            found.append(make(fields))
        except LongBenchError as error:
            raise LongBenchError(f"{where}:{place}: {error}") from None
    if not found:
        raise LongBenchError(f"{where}: the file holds no record")
    return found


def _objects(content: bytes, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with their line, or their number in a list or table."""
    content = content.removeprefix(codecs.BOM_UTF8)
    if content[:4] == b"PAR1":
        yield from enumerate(_table(content, where), start=1)
    elif content.lstrip()[:1] == b"[":
        for number, value in enumerate(_json(content, where), start=1):
            yield number, _object(value, f"{where}:{number}")
    else:
        for number, line in enumerate(io.BytesIO(content), start=1):
            if line.strip():
                place = f"{where}:{number}"
                yield number, _object(_json(line, place), place)


def _json(content: bytes, place: str) -> Any:
    try:
        return strict_json.loads(content)
    except ValueError as error:  # bad JSON and bad UTF-8
        raise LongBenchError(f"{place}: not JSON ({error}); was the file cut off?") from error


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LongBenchError(f"{place}: a JSON {type(value).__name__}; expected an object")
    return value


def _table(content: bytes, where: str) -> list[dict[str, Any]]:
    try:
        import pyarrow.parquet as parquet  # late: only Parquet mirrors need it

        return list(parquet.read_table(io.BytesIO(content)).to_pylist())
    except ImportError as error:
        raise LongBenchError(f"{where}: Parquet needs pyarrow (pip install pyarrow)") from error
    except Exception as error:  # pyarrow's own kinds, by what is wrong with the file
        raise LongBenchError(f"{where}: not a Parquet file ({error})") from error
