"""Secrets that a user has in settings and environment are in nothing that is written or said."""

import base64
from pathlib import Path

import pytest
from server import Service, known_document

from prefixqa.service.address import service_name
from tests.commands import Run

KEY, PASSWORD, TOKEN = "corr3ct-h0rse", "pa55:w0rd", "hf_abcdefghijklmnopqrst"
BASIC = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
SECRETS = (KEY, PASSWORD, "pa55%3Aw0rd", TOKEN, BASIC)


def everything(folder: Path) -> str:
    """Names and contents of all files of a folder."""
    parts = [
        str(path.relative_to(folder)) + path.read_bytes().decode("latin-1")
        for path in folder.rglob("*")
        if path.is_file()
    ]
    return "\n".join(parts)


@pytest.fixture
def arguments(
    service: tuple[Service, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    state, url = service
    document, pairs = known_document("paper", 700, 16)
    state.facts = list(pairs)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "paper.md").write_text(document.text)
    monkeypatch.setenv("SERVICE", KEY)  # a name that says nothing
    address = url.replace("://", "://me:pa55%3Aw0rd@")
    return [
        *("backend=openai", f"source={tmp_path / 'papers'}", f"out={tmp_path / 'out'}"),
        *("questions=4", "length=4096", "openai.samples=1", "openai.retries=0"),
        *(f"openai.base_url={address}", "openai.key_env=SERVICE", f"openai.model=org/m-{TOKEN}"),
        f"openai.judge=judge-{TOKEN}",
    ]  # fmt: skip


def test_no_file_and_no_line_holds_a_secret(
    service: tuple[Service, str], arguments: list[str], prefixqa: Run, tmp_path: Path
) -> None:
    state, _ = service
    said = f"your key is {KEY}, your password {PASSWORD}, {BASIC}"  # a service may echo it
    state.extra["propose"] = [
        {"question": said, "answer": "a b", "type": "factual", "evidence": ["not in the text"]}
    ]
    done = prefixqa(*arguments)
    assert done.returncode == 0, done.stderr
    assert state.keys == {f"Basic {BASIC}"}
    found = done.stdout + done.stderr + everything(tmp_path / "out")
    assert "your key is" in found
    assert [secret for secret in SECRETS if secret in found] == []


@pytest.mark.parametrize("status", [400, 401, 500])
def test_errors_hold_none(
    service: tuple[Service, str], arguments: list[str], prefixqa: Run, tmp_path: Path, status: int
) -> None:
    service[0].refuse_all = status
    done = prefixqa(*arguments)
    assert done.returncode in (1, 2)
    found = done.stdout + done.stderr + everything(tmp_path / "out")
    assert [secret for secret in SECRETS if secret in found] == []


def test_a_service_is_its_host_and_path() -> None:
    assert service_name(None) == "openai"
    assert service_name("http://localhost:8000/v1/") == "localhost/v1"
    assert service_name("https://me:pass@localhost:9/v1?key=abc") == "localhost/v1"
    assert service_name("http://[::1]:8000/v1") == "::1/v1"
