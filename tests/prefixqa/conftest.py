"""Fixtures of the PreFixQA tests: the embedded model's tokenizer, the command, and a service."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prefixqa.config import ServiceConfig
from prefixqa.tokens import TokenCounter
from tests.commands import Run, runner

sys.path.insert(0, str(Path(__file__).parent))  # for server.py, under every import mode
from server import Running, Service

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tokens() -> TokenCounter:
    from transformers import AutoTokenizer

    return TokenCounter(AutoTokenizer.from_pretrained(ROOT / "bench" / "models" / "mini"))


@pytest.fixture
def pictures() -> None:
    """For a test that wants the real ones."""


@pytest.fixture(autouse=True)
def _few_pictures(request: pytest.FixtureRequest) -> None:
    """Half of the time of a small set goes into the picture of its statistics."""
    if "pictures" not in request.fixturenames:
        request.getfixturevalue("no_pictures")


@pytest.fixture
def prefixqa(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    from prefixqa.__main__ import COMMAND

    return runner(COMMAND, tmp_path, monkeypatch, capfd)


@pytest.fixture
def service() -> Iterator[tuple[Service, str]]:
    """A service without faults, and its base URL."""
    state = Service()
    running = Running(state)
    yield state, running.url
    state.hold.clear()
    running.close()


@pytest.fixture
def asking(service: tuple[Service, str]) -> Callable[..., ServiceConfig]:
    """Settings for that service, changed as the test says."""
    plain = ServiceConfig(
        model="test-model",
        base_url=service[1],
        key_env="PREFIXQA_TEST_KEY",
        concurrency=4,
        timeout=5.0,
        max_wait=600.0,
        retries=3,
        temperature=0.7,
        structured="json_schema",
        samples=2,
        agree=0.6,
        rounds=3,
        max_answer_words=12,
        batch_poll=0.05,
    )

    def settings(**changes: Any) -> ServiceConfig:
        return replace(plain, **changes)

    return settings
