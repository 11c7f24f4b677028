"""The live line of a sweep: right on a terminal and in a log. With a launcher: ``tests/bench/launch``."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from bench.cli import live
from tests.bench.lines import LINE, counts

Bench = Callable[..., Any]
SWEEP = ("-m", "method=full,random", "task.subtask=niah_single_1,niah_multikey_1")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_lines_without_control_characters(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUIET", 0.01)
    done = bench(*SWEEP)
    assert done.code == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", done.err)
    told = counts(done.err)
    assert told == sorted(told, key=lambda each: each[2])  # questions only become more
    assert {each[1] for each in told} <= {0, 1}
    assert told
    assert len({line for line in done.err.splitlines() if LINE.search(line)}) == len(told)


def test_a_terminal_has_one_line_that_is_written_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "POLL", 0.01)
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", terminal)
        assert bench(*SWEEP).code == 0
    text = terminal.getvalue()
    assert counts(text)
    assert all(len(part) < 100 for part in re.split(r"[\r\n]", text) if "4 runs" in part)


def test_a_single_run_has_its_bar_on_a_terminal_and_lines_in_a_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "POLL", 0.01)
    monkeypatch.setattr(live, "QUIET", 0.01)
    terminal = Terminal()
    with monkeypatch.context() as patched:
        patched.setattr("sys.stderr", terminal)
        assert bench("method=full").code == 0
    assert "1 run:" not in terminal.getvalue()
    assert "niah_single_1-512 full:" in terminal.getvalue()
    done = bench("method=random", "task.samples=4")
    assert "1 run: 1 running" in done.err
    assert "niah_single_1-512 random:" not in done.err  # no bar
