"""The original's wording, read from its own files and never kept in this repository.

The files are fetched at a pinned commit (``ruler.sources.download``) or read from a local copy, and parsed
as syntax trees: text is taken from them, nothing in them is run. ``constants.py`` has a template and
an answer prefix for each family. The needle's sentence, the noise and the form of a statement stand
in ``niah.py`` and ``variable_tracking.py``.
"""

import ast
import hashlib
import re
from pathlib import Path
from typing import Any

from ruler.prompts import CweWording, FweWording, NiahWording, PromptSet, QaWording, VtWording
from ruler.sources import download

NAME = "official"
DEMO_LETTERS = (
    3  # of a name in the worked example of variable tracking, which is no text in the files
)
FILES = {
    "constants.py": download.CONSTANTS,
    "niah.py": download.NIAH,
    "variable_tracking.py": download.TRACKING,
}


def load(name: str) -> PromptSet:
    """The original's prompt set.

    Args:
        name: ``official``, to fetch the files; or the path of a local ``constants.py`` with the two
            other files beside it, or of their folder, or of a clone of the repository.

    Raises:
        ValueError: unknown name, a file that cannot be had, or one that is not as expected.
    """
    sources = _fetched() if name == NAME else _local(name)
    parsed = {}
    for file, content in sources.items():
        try:
            parsed[file] = ast.parse(content)
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"prompts: {file} of {name} is not Python: {error}") from error
    return _prompt_set(parsed, _label(sources))


def _fetched() -> dict[str, bytes]:
    return {file: download.fetch(remote).read_bytes() for file, remote in FILES.items()}


def _local(name: str) -> dict[str, bytes]:
    path = Path(name).expanduser()
    if not path.exists():
        raise ValueError(
            f"unknown prompt set {name!r}; known: suite, {NAME}, or the path of a local copy of "
            "the original's constants.py"
        )
    nested = path / "scripts" / "data" / "synthetic"
    folder = nested if nested.is_dir() else path if path.is_dir() else path.parent
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise ValueError(
            f"prompts: {folder} has no {', '.join(missing)}; expected {', '.join(FILES)} of "
            f"{download.CONSTANTS.url.rsplit('/', 1)[0]}"
        )
    return {file: (folder / file).read_bytes() for file in FILES}


def _label(sources: dict[str, bytes]) -> str:
    """``official`` for the pinned files; other files are another prompt set and named by hash."""
    found = {file: hashlib.sha256(content).hexdigest() for file, content in sources.items()}
    if all(found[file] == remote.sha256 for file, remote in FILES.items()):
        return NAME
    together = hashlib.sha256("".join(found[file] for file in FILES).encode()).hexdigest()
    return f"{NAME}-{together[:8]}"


def _prompt_set(parsed: dict[str, ast.Module], name: str) -> PromptSet:
    families = _tasks(parsed["constants.py"])
    needle = _assigned(parsed["niah.py"], "needle")
    noise = _assigned(parsed["niah.py"], "haystack")
    first, later = _statements(parsed["variable_tracking.py"])
    return PromptSet(
        name=name,
        niah=_niah(*_split(families, "niah"), needle, noise),
        vt=_vt(*_split(families, "variable_tracking"), first, later),
        cwe=_cwe(*_split(families, "common_words_extraction")),
        fwe=_fwe(*_split(families, "freq_words_extraction")),
        qa=_qa(*_split(families, "qa")),
    )


def _split(families: dict[str, dict[str, Any]], family: str) -> tuple[str, str, str]:
    """Of a family: the template before and behind the context, and the answer prefix."""
    try:
        template, prefix = families[family]["template"], families[family]["answer_prefix"]
        before, behind = template.split("{context}")
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"prompts: constants.py has no usable template and answer prefix for {family!r}"
        ) from error
    return before, behind, prefix


def _niah(before: str, behind: str, prefix: str, needle: str, noise: str) -> NiahWording:
    def named(text: str, single: bool = False) -> str:
        return _renamed(text, {"type_needle_v": "type" if single else "types", "query": "keys"})

    return NiahWording(
        instruction=named(before.removesuffix("\n")),
        instruction_single=named(_singular(before.removesuffix("\n")), single=True),
        needle=_renamed(needle, {"type_needle_v": "types"}),
        question=named(behind.removeprefix("\n")),
        question_single=named(_singular(behind.removeprefix("\n")), single=True),
        answer_prefix=named(prefix),
        answer_prefix_single=named(_singular(prefix), single=True),
        noise=noise.strip(),
        numbered=False,
    )


def _singular(text: str) -> str:
    """The template for a single value, by the original's rule, whole words only."""
    for plural, single in (("Some", "A"), ("are all", "is"), ("are", "is"), ("answers", "answer")):
        text = re.sub(rf"\b{plural}\b", single, text)
    return text


def _vt(before: str, behind: str, prefix: str, first: str, later: str) -> VtWording:
    names = {"query": "value", "num_v": "count"}
    return VtWording(
        instruction=_renamed(before, {}).removesuffix("\n"),
        statement=first,
        statement_next=later,
        question=_renamed(behind.removeprefix("\n"), names),
        answer_prefix=_renamed(prefix, names),
        # In the worked example the original puts a blank before the answer, though the prefix ends with one.
        answer=" {names}",
        joint=" ",
        demo_letters=DEMO_LETTERS,
    )


def _cwe(before: str, behind: str, prefix: str) -> CweWording:
    def counted(text: str) -> str:
        return _renamed(text, {}).replace("10", "{count}")

    return CweWording(
        instruction=_renamed(before.removesuffix("\n"), {}),
        question=counted(behind.removeprefix("\n")),
        answer_prefix=counted(prefix),
        answer=" {words}",
        joint="\n",
    )


def _fwe(before: str, behind: str, prefix: str) -> FweWording:
    instruction = before.rstrip()
    return FweWording(
        instruction=_renamed(instruction, {}),
        question=_renamed(behind.removeprefix("\n"), {}),
        answer_prefix=_renamed(prefix, {}),
        joint=before[len(instruction) :],
    )


def _qa(before: str, behind: str, prefix: str) -> QaWording:
    return QaWording(
        instruction=_renamed(before.removesuffix("\n\n"), {}),
        document="Document {number}:\n{text}",
        question=_renamed(behind.removeprefix("\n\n"), {"query": "question"}),
        answer_prefix=_renamed(prefix, {}),
    )


def _renamed(text: str, names: dict[str, str]) -> str:
    """The text with our names for its placeholders; any other brace stays a brace."""
    escaped = text.replace("{", "{{").replace("}", "}}")
    for theirs, ours in names.items():
        escaped = escaped.replace(f"{{{{{theirs}}}}}", f"{{{ours}}}")
    # In the needle's sentence key and value are called as here.
    return re.sub(r"\{\{(key|value)\}\}", r"{\1}", escaped)


def _tasks(module: ast.Module) -> dict[str, dict[str, Any]]:
    for statement in module.body:
        if isinstance(statement, ast.Assign) and _target(statement) == "TASKS":
            try:
                found = ast.literal_eval(statement.value)
            except ValueError as error:
                raise ValueError("prompts: TASKS in constants.py is not plain data") from error
            if isinstance(found, dict):
                return found
    raise ValueError("prompts: constants.py has no dictionary TASKS")


def _assigned(module: ast.Module, name: str) -> str:
    """The first text that is given to a variable, wherever that stands."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Assign) or _target(node) != name:
            continue
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return node.value.value
    raise ValueError(f"prompts: niah.py gives no text to {name!r}")


def _statements(module: ast.Module) -> tuple[str, str]:
    """The forms of a statement with a number and of one with an earlier name: two f-strings."""
    strings = [node for node in ast.walk(module) if isinstance(node, ast.JoinedStr)]
    strings.sort(key=lambda node: (node.lineno, node.col_offset))
    forms = [_form(node) for node in strings]
    found = [form for form in forms if re.fullmatch(r"\w+ \{name\} = (\w+ )?\{value\} ?", form)]
    if len(found) != 2:
        raise ValueError("prompts: variable_tracking.py has no two statements of the form A = B")
    return found[0], found[1]


def _form(node: ast.JoinedStr) -> str:
    """An f-string with ``{name}`` and ``{value}`` for what it puts in."""
    slots = iter(("{name}", "{value}"))
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else next(slots, "{}")
        for part in node.values
    )


def _target(statement: ast.Assign) -> str | None:
    (target, *_) = statement.targets
    return target.id if isinstance(target, ast.Name) else None
