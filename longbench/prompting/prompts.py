"""Prompt sets: the suite's own wording, the official one, or files of one's own.

A set has a name, which every row and record carries, so that no table mixes two wordings.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from longbench.errors import LongBenchError
from longbench.prompting import wording
from longbench.sources import fetch
from longbench.tasks import TASKS, Task
from rows import strict_json

SUITE, OFFICIAL = "suite", "official"
TEMPLATES_FILE, LIMITS_FILE, V2_FILE = "dataset2prompt.json", "dataset2maxlen.json", "0shot.txt"


@dataclass(frozen=True)
class PromptSet:
    """A wording for the tasks.

    Attributes:
        name: ``suite``, ``official-COMMIT``, or ``file-HASH``.
        templates: of the tasks, with ``{context}`` and ``{input}``.
        limits: tokens generated at most, of the tasks.
        v2: template of LongBench-v2, with ``$DOC$`` and others; None if the set has none.
        sha256: of the wording as a whole, as hex.
    """

    name: str
    templates: Mapping[str, str]
    limits: Mapping[str, int]
    v2: str | None
    sha256: str

    def template(self, task: Task) -> str:
        """The template of a task.

        Raises:
            LongBenchError: the set has none.
        """
        if task.name not in self.templates:
            raise LongBenchError(f"the prompt set {self.name} has no template for {task.name}")
        return self.templates[task.name]


def load_prompts(prompts: str) -> PromptSet:
    """A prompt set.

    Args:
        prompts: ``suite``; ``official``, fetched at a pinned commit and kept; or the path of a
            folder with ``dataset2prompt.json`` (and ``dataset2maxlen.json``, ``0shot.txt``), or of
            such a file alone.

    Raises:
        LongBenchError: the files cannot be had or are not in the official format.
    """
    if prompts == SUITE:
        limits = {task.name: task.max_new_tokens for task in TASKS.values()}
        return _make(SUITE, wording.TEMPLATES, limits, wording.V2)
    if prompts == OFFICIAL:
        return _from_folder(fetch.prompt_files(), f"{OFFICIAL}-{fetch.CODE_COMMIT[:8]}")
    path = Path(prompts).expanduser()
    if not path.exists():
        raise LongBenchError(
            f"prompts: {prompts!r} is neither suite nor official, and there is no such file; "
            f"expected a folder with {TEMPLATES_FILE}"
        )
    return _from_folder(path, None)


def _from_folder(path: Path, name: str | None) -> PromptSet:
    folder, file = (path, path / TEMPLATES_FILE) if path.is_dir() else (path.parent, path)
    if not file.is_file():
        raise LongBenchError(f"prompts: there is no {TEMPLATES_FILE} in {folder}")
    templates = _object(file, str, "a template")
    limits = {task.name: task.max_new_tokens for task in TASKS.values()}
    if (folder / LIMITS_FILE).is_file():
        limits |= _object(folder / LIMITS_FILE, int, "a number of tokens")
        _require_limits(folder / LIMITS_FILE, limits)
    v2 = None
    if (folder / V2_FILE).is_file():
        v2 = _text(folder / V2_FILE)
    return _make(name, templates, limits, v2)


def _make(
    name: str | None, templates: Mapping[str, str], limits: Mapping[str, int], v2: str | None
) -> PromptSet:
    content = json.dumps([templates, limits, v2], sort_keys=True, ensure_ascii=False)
    sha256 = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    return PromptSet(name or f"file-{sha256[:8]}", templates, limits, v2, sha256)


def _object(path: Path, kind: type, wanted: str) -> dict[str, Any]:
    text = _text(path)
    try:
        content = strict_json.loads(text)
    except ValueError as error:
        raise LongBenchError(f"prompts: {path} is not a JSON file: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(v, kind) for v in content.values()):
        raise LongBenchError(f"prompts: {path} must be an object with {wanted} for each task")
    return content


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LongBenchError(f"prompts: {path} is not a file of UTF-8 text: {error}") from error


def _require_limits(path: Path, limits: Mapping[str, int]) -> None:
    for task, limit in limits.items():
        if isinstance(limit, bool) or limit < 1:
            raise LongBenchError(
                f"prompts: {path} lets {task} generate {limit} tokens; expected at least 1"
            )
