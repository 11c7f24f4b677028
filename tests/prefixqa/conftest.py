"""Fixtures of the PreFixQA tests: the embedded model's tokenizer, the command, and a service."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from prefixqa.config import ServiceConfig
from prefixqa.tokens import TokenCounter

sys.path.insert(0, str(Path(__file__).parent))  # for server.py, under every import mode
from server import Running, Service

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def tokens() -> TokenCounter:
    from transformers import AutoTokenizer

    return TokenCounter(AutoTokenizer.from_pretrained(ROOT / "bench" / "models" / "mini"))


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def prefixqa(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Runs the command in this process and in an empty folder, because a new one imports for seconds."""
    from prefixqa.__main__ import COMMAND

    monkeypatch.setenv("HYDRA_FULL_ERROR", "")  # main sets it; this puts it back afterwards
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["prefixqa", *arguments])
        capfd.readouterr()
        try:
            COMMAND.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capfd.readouterr())

    return run


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
