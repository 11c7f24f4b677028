"""``squeezed-bench data list``: every made set with what it tests."""

import pytest

from bench.cli.main import main
from probes.find import sets


def test_it_lists_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "list"]) == 0
    output = capsys.readouterr().out
    for name in sets():
        assert f" {name} " in output


def test_another_word_is_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "lsit"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "unknown word 'lsit'; did you mean list?" in error
