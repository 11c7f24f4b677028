"""What was measured while the harness asked: the KV budget of each task, and a line for each request."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bench.config.errors import InputError
from bench.harness.settings import Settings


class Measured:
    """Collects measurements; writes each request's to the file of records at once, if there is one; the
    first one takes the place of what stood there."""

    def __init__(self, asked: Settings) -> None:
        self._asked = asked
        self._budgets: dict[str, list[float]] = defaultdict(list)
        self._prepared: dict[str, tuple[int, float]] = {}
        self._contexts: dict[str, set[str]] = defaultdict(set)  # a task's; tasks may share some
        self._noted = False
        if asked.records is not None:
            try:
                asked.records.parent.mkdir(parents=True, exist_ok=True)
                asked.records.open("a").close()  # what is there stays until there is something new
            except OSError as error:
                raise InputError(f"records: cannot write: {error}; give another file") from error

    def context(self, key: str, tokens: int, prepare_ms: float) -> None:
        """A context was prepared; ``key``: as in the records of its requests."""
        self._prepared[key] = tokens, prepare_ms

    def note(self, record: dict[str, Any]) -> None:
        """A request was answered."""
        self._budgets[record["task"]].append(record["kv_budget"])
        self._contexts[record["task"]].add(record["context"])
        if self._asked.records is not None:
            with self._asked.records.open("a" if self._noted else "w", encoding="utf-8") as file:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._noted = True

    def summary(self) -> dict[str, Any]:
        """For the harness's results: what was asked for, and of each task what was measured."""
        return {
            "method": self._asked.method.slug,
            "settings": {name: _plain(value) for name, value in self._asked.method.parameters},
            "window": self._asked.index.window,
            "levels": list(self._asked.index.levels),
            "tasks": {task: self._of(task) for task in self._budgets},
        }

    def line(self, task: str) -> str:
        """One line for the terminal."""
        found = self._of(task)
        return (
            f"{self._asked.method.slug} read a KV budget of {found['kv_budget']:.3f} (measured, mean of "
            f"{found['requests']} requests on {found['contexts']} contexts of {found['context_tokens']:.0f} "
            "tokens)"
        )

    def _of(self, task: str) -> dict[str, Any]:
        budgets = self._budgets[task]
        contexts = [self._prepared[key] for key in sorted(self._contexts[task])]
        return {
            "kv_budget": math.fsum(budgets) / len(budgets),
            "requests": len(budgets),
            "contexts": len(contexts),
            "context_tokens": sum(tokens for tokens, _ in contexts) / len(contexts),
            "prepare_ms": round(sum(ms for _, ms in contexts) / len(contexts), 1),
        }


def context_key(ids: Sequence[int]) -> str:
    """The name of a context in records."""
    return hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
