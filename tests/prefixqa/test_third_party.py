"""Against a server that is not ours: ``transformers serve`` with the embedded model.

Needs what that command needs (``pip install "transformers[serving]"``), and is skipped without it. The
embedded model cannot write JSON, so all that it says must be rejected and counted.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from documents import PARAGRAPH

from tests.commands import Run

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

TEMPLATE = "{% for each in messages %}{{ each['content'] }}\n{% endfor %}Answer:"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URL of the server, and the name of its model."""
    model = tmp_path / "mini-chat"
    shutil.copytree(ROOT / "bench" / "models" / "mini", model)
    config = json.loads((model / "tokenizer_config.json").read_text())
    config["chat_template"] = TEMPLATE
    (model / "tokenizer_config.json").write_text(json.dumps(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(model)]
    log = (tmp_path / "serve.log").open("w")
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2)
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, (tmp_path / "serve.log").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", str(model)
    finally:
        server.terminate()
        server.wait(20)
        log.close()


@pytest.mark.slow
def test_the_protocol_works_and_bad_output_is_counted(
    served: tuple[str, str], prefixqa: Run, tmp_path: Path
) -> None:
    url, model = served
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "harbour.txt").write_text(PARAGRAPH)
    done = prefixqa(
        *("backend=openai", f"source={folder}", f"out={tmp_path / 'out'}", "questions=2"),
        *("min_tokens=10", "length=2000", f"openai.base_url={url}", f"openai.model={model}"),
        *("openai.structured=none", "openai.rounds=1", "openai.concurrency=1"),
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 1
    assert "requests: 2 sent" in done.stdout
    assert "0 in, 0 out" not in done.stdout
    assert "no_json 2" in done.stdout or "cut_off" in done.stdout
    assert "no pair was accepted" in done.stderr
    assert not (tmp_path / "out" / "prefixqa.jsonl").exists()
