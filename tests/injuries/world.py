"""What the injuries need: documents, a service on this machine, and a run in a process that can be killed."""

import contextlib
import dataclasses
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from prefixqa.config import ServiceConfig
from prefixqa.document import Document
from prefixqa.service.run import Finished, ask_service
from tests.forked import PROCESSES
from tests.prefixqa.server import Running, Service, known_document

KEY, PASSWORD = "corr3ct-h0rse", "battery-st4ple"
QUESTIONS = 4


@dataclasses.dataclass
class Outcome:
    """Of one kind of injury: tries, those after which all was right, and what went wrong.

    ``lost``: paid answers that are not kept. ``leaked``: secrets found. ``twice``: requests that were sent
    again; ``allowed``: that were in flight when a process was killed, or whose kept answer was destroyed.
    """

    tried: int = 0
    survived: int = 0
    lost: int = 0
    leaked: int = 0
    twice: int = 0
    allowed: int = 0


class Words:
    """Counts words, which is enough here; a tokenizer would take most of the time."""

    def count(self, text: str) -> int:
        return len(text.split())


@dataclasses.dataclass
class World:
    """Documents, the service that knows them, and the settings to ask it."""

    service: Service
    url: str
    documents: list[Document]

    def settings(self, **changes: Any) -> ServiceConfig:
        plain = ServiceConfig(
            model="m",
            base_url=self.url.replace("://", f"://me:{PASSWORD}@"),
            key_env="INJURIES_KEY",
            concurrency=4,
            timeout=20.0,
            max_wait=60.0,
            retries=3,
            temperature=0.7,
            structured="json_schema",
            samples=2,
            agree=0.6,
            rounds=2,
            max_answer_words=12,
            batch_poll=0.05,
        )
        return dataclasses.replace(plain, **changes)

    def ask(self, cache: Path, **changes: Any) -> Finished:
        return ask(self.settings(**changes), self.documents, cache)


@contextlib.contextmanager
def world(documents: int = 2) -> Iterator[World]:
    """A world of its own, whose service is up inside the block."""
    os.environ["INJURIES_KEY"] = KEY
    service, known = Service(), []
    for number in range(documents):
        document, pairs = known_document(f"document {number}", 400, 10)
        known.append(document)
        service.facts += pairs
    running = Running(service)
    try:
        yield World(service, running.url, known)
    finally:
        service.hold.clear()
        running.close()


def ask(settings: ServiceConfig, documents: list[Document], cache: Path) -> Finished:
    words: Any = Words()
    return ask_service(settings, documents, words, QUESTIONS, 0, cache)


def killed(here: World, cache: Path, when: Callable[[], bool], **changes: Any) -> bool:
    """A run in a process of its own, killed as soon as ``when`` is true; whether it still ran."""
    process = PROCESSES.Process(target=ask, args=(here.settings(**changes), here.documents, cache))
    process.start()
    while process.is_alive() and not when():
        time.sleep(0.001)
    alive = process.is_alive()
    if alive and process.pid:
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return alive


def kept(cache: Path) -> int:
    """Answers in the store."""
    return _count(cache, "SELECT COUNT(*) FROM responses")


def in_flight(cache: Path) -> int:
    """Requests that the last run, which was killed, had sent and not got an answer to."""
    return _count(cache, "SELECT COUNT(*) FROM sent WHERE key NOT LIKE '% lost %'")


def leaks(folder: Path, *said: str) -> int:
    """Secrets in files and in what was said."""
    texts = [path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file()]
    return sum(secret in text for secret in (KEY, PASSWORD) for text in (*texts, *said))


def pairs(done: Finished) -> list[tuple[str, str, tuple[str, ...]]]:
    """What came out, without what the order of answers may change."""
    return [
        (each.document.id, pair.question, pair.answers) for each in done.made for pair in each.pairs
    ]


def _count(cache: Path, statement: str) -> int:
    path = cache / "responses.sqlite"
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as file:
        return int(file.execute(statement).fetchone()[0])
