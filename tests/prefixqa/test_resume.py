"""A run that is killed: nothing that was answered is paid again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from conftest import ROOT
from server import Service, known_document

from prefixqa.output.folder import MANIFEST
from rows.row import read_jsonl
from tests.commands import Run


def test_after_a_kill_the_run_goes_on_and_pays_nothing_twice(
    service: tuple[Service, str], prefixqa: Run, tmp_path: Path
) -> None:
    state, url = service
    folder = tmp_path / "papers"
    folder.mkdir()
    for name in ("first", "second"):
        document, pairs = known_document(name, 700, 16)
        (folder / f"{name}.md").write_text(document.text.replace("\n# ", "\n## "))
        state.facts += pairs
    out = tmp_path / "out"
    arguments = [
        *("backend=openai", f"source={folder}", f"out={out}", "questions=6", "length=4096"),
        *(f"openai.base_url={url}", "openai.model=test-model", "openai.samples=2"),
        "openai.concurrency=2",
    ]
    state.hold_after = 5
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "prefixqa", *arguments],
        env=os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert state.held.wait(120), process.communicate()[0]
    time.sleep(1.5)  # what the server has answered has arrived; what it holds has not
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    assert not (out / MANIFEST).exists()
    before = state.answered.copy()
    assert before.total() >= 5
    state.hold_after = None
    state.hold.clear()

    done = prefixqa(*arguments)
    assert done.returncode == 0, done.stderr
    assert set(state.answered.values()) == {1}
    assert f"{before.total()} from the store" in done.stdout
    rows = read_jsonl(out / "prefixqa.jsonl")
    truth = {pair.question: pair.answers[0] for pair in state.facts}
    assert len(rows) == 12
    for row in rows:
        asked = row.question.removeprefix("\n\nQuestion: ").removesuffix("\nAnswer:")
        assert row.answers == [truth[asked]]

    paid = state.answered.total()
    again = prefixqa(*arguments)
    assert (again.returncode, state.answered.total()) == (0, paid)
    assert again.stdout.startswith("kept ")
