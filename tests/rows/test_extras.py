"""A package that is not installed is named with the extra that brings it."""

import sys
import tomllib
from pathlib import Path

import pytest

from bench.config.guard import guarded
from longbench.scoring import chinese
from prefixqa.sources import markdown
from rows.extras import EXTRAS, missing

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def test_every_extra_that_is_named_exists_and_is_not_in_the_core() -> None:
    project = tomllib.loads(PROJECT.read_text())["project"]
    core = " ".join(project["dependencies"]).replace("-", "_")
    for package, extra in EXTRAS.items():
        name = {"markdown_it": "markdown_it_py"}.get(package, package)
        brought = " ".join(project["optional-dependencies"][extra]).replace("-", "_")
        assert name in brought
        assert f"{name}>=" not in core
        assert f"{name}==" not in core


def test_a_command_names_the_extra(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise ModuleNotFoundError("No module named 'openai'", name="openai")

    assert guarded(work) == 2
    assert "pip install 'squeezed-attention-bench[service]'" in capsys.readouterr().err


def test_another_package_is_a_bug_and_shows_as_one() -> None:
    def work() -> None:
        raise ModuleNotFoundError("No module named 'nonsense'", name="nonsense")

    assert missing(ModuleNotFoundError("x", name="nonsense")) is None
    with pytest.raises(ModuleNotFoundError):
        guarded(work)


def test_chinese_scores_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jieba", None)
    chinese._cutter.cache_clear()
    with pytest.raises(ModuleNotFoundError, match=r"squeezed-attention-bench\[chinese\]"):
        chinese.words("x")
    chinese._cutter.cache_clear()


def test_documents_say_what_they_need(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefixqa.__main__ import main

    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.md").write_text("# Mills\n\nThe mill was sold in 1811.\n" * 50)
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    markdown._parser.cache_clear()  # as in a process that has read none yet
    given = [f"source={tmp_path / 'texts'}", f"out={tmp_path / 'out'}", "length=1024"]
    assert main(["backend=extractive", "min_tokens=20", "questions=2", *given]) == 2
    assert "squeezed-attention-bench[documents]" in capsys.readouterr().err
