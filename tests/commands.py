"""Runs a generator's command inside the test's process, because a new one imports for seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rows.command import Command


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


def runner(
    command: "Command",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """A function that runs the command: in an empty folder, with no network, key or cache of the user's."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        code = command.main(arguments)
        return Done(code, *capfd.readouterr())

    return run


def refused(done: Done, message: str) -> None:
    """One line on stderr that holds ``message``, nothing on stdout, exit code 2."""
    assert (done.returncode, done.stdout) == (2, ""), done
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
