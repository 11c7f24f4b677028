"""Kernels are compiled in another process, so that the first run rounds as all later ones do."""

import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import squeezed_kernels

from bench.runs import compiled as module
from bench.runs.compiled import compiled

SPEC: Any = SimpleNamespace(backend="cpu", model=SimpleNamespace(dtype="float32"))
Tell = Callable[[str, int, int], None]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    """The processes that are started; none really is."""
    found: list[list[str]] = []
    monkeypatch.setattr(module.subprocess, "run", lambda command, **_: found.append(command))
    module._compiled.cache_clear()
    yield found
    module._compiled.cache_clear()


def test_what_is_missing_is_compiled_elsewhere_and_once(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(backend: str, dtype: object, tell: Tell) -> None:
        tell("lookup", 1, 4)
        pytest.fail("it went on compiling here")

    monkeypatch.setattr(squeezed_kernels, "compile_all", missing)
    compiled([SPEC, SPEC])
    compiled([SPEC])
    assert commands == [[sys.executable, "-m", "bench.runs.compiled", "cpu", "float32"]]


def test_nothing_is_started_where_all_is_there(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(squeezed_kernels, "compile_all", lambda *_: None)
    compiled([SPEC])
    assert commands == []


def test_the_other_process_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def parts(backend: str, dtype: object, tell: Tell) -> None:
        for number, name in enumerate(("lookup", "attention"), start=1):
            tell(name, number, 2)

    monkeypatch.setattr(squeezed_kernels, "compile_all", parts)
    monkeypatch.setattr(sys, "argv", ["compiled", "cpu", "float32"])
    module.main()
    first, *rest = capsys.readouterr().err.splitlines()
    assert "compiling the cpu kernels for float32" in first
    assert rest == ["  1 of 2: lookup", "  2 of 2: attention"]
