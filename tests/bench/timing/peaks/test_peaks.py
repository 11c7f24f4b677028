"""What a context takes of memory: a line for each length, kept; and what is refused."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from tqdm import tqdm

from bench.config.errors import InputError, RunError
from bench.timing.peaks import command, run
from bench.timing.peaks.settings import STACK, Settings

SMALL = {
    "hidden_size": 256, "intermediate_size": 256, "num_attention_heads": 8,
    "num_key_value_heads": 4, "head_dim": 64, "vocab_size": 64,
}  # fmt: skip


def test_each_length_is_measured_once_and_kept(tmp_path, capsys, monkeypatch):
    given = [f"results={tmp_path}", "lengths=[600]", "threads=1"]
    assert command.main(given) == 0
    table = pd.read_csv(tmp_path / "timing" / "memory.csv")
    assert table["length"].tolist() == [600]
    (line,) = table.to_dict("records")
    assert line["peak_mb"] >= line["kept_mb"] > 0
    assert line["disk_share"] == pytest.approx(line["disk_mb"] / line["kv_mb"], rel=1e-3)
    assert "600 tokens" in capsys.readouterr().out

    monkeypatch.setattr(run, "_alone", None)  # what is there is not measured again
    assert command.main(given) == 0


def test_a_stack_of_random_layers_is_measured_beside_its_own_weights(monkeypatch):
    monkeypatch.setattr(run, "SHAPE", SMALL)
    model = run._model(Settings(model=STACK, layers=12, lengths=[4096]))
    found = run.measure(model, 4096, 1)
    assert found.layers == 12
    assert found.kv == 12 * 2 * 4096 * 4 * 64 * 4
    # Keys and values stay; activations of a pass (up to 256 MiB) and copies of a layer's keys go.
    assert 0.9 * found.kv < found.kept < 1.5 * found.kv
    assert found.kept < found.peak < found.kept + 3 * 2**28
    assert found.disk < 0.05 * found.kv


def test_a_process_that_is_ended_from_outside_is_told(monkeypatch):
    monkeypatch.setattr(run, "_measured", _ended)
    with pytest.raises(RunError, match="300 tokens was ended from outside"):
        run._alone(Settings(), 300, tqdm(disable=True))


def _ended(*_):
    os._exit(9)


KILLED = """
import sys
from pathlib import Path

from tqdm import tqdm

from bench.timing.peaks import run
from bench.timing.peaks.settings import Settings
from tests.bench.timing.peaks import test_peaks

run._measured = test_peaks._works_for_long
run._alone(Settings(results=Path(sys.argv[1])), 300, tqdm(disable=True))
"""


def _works_for_long(settings, _):
    (settings.results / "tmp").write_text(str(os.getpid()))
    (settings.results / "tmp").rename(settings.results / "pid")
    time.sleep(120)


def test_a_command_that_is_killed_leaves_no_process_behind(tmp_path):
    command = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)])
    until(lambda: (tmp_path / "pid").exists(), 60)
    worker = Path("/proc") / (tmp_path / "pid").read_text()
    assert worker.exists()
    command.kill()
    command.wait()
    until(lambda: not worker.exists() or " Z " in (worker / "stat").read_text(), 20)


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (ValueError("no such layer"), InputError, "no such layer"),
        (OSError("disk full"), RunError, "300 tokens could not be measured: disk full"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), RunError, "do not fit"),
        (MemoryError(), RunError, "do not fit"),
        (TypeError("of the suite's own"), TypeError, "of the suite's own"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(monkeypatch, error, raised, said):
    def fail(*_):
        raise error

    monkeypatch.setattr(run, "_model", fail)
    found = run._measured(Settings(), 300)
    assert type(found) is raised
    assert said in str(found)


def test_models_of_two_folders_under_one_name_are_two(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_alone", lambda *_: run.Peak(1, 10, 20, 10, 1, 1.0))
    for folder in ("one", "two"):
        run.run(Settings(path=str(tmp_path / folder), lengths=[300], results=tmp_path))
    assert len(pd.read_csv(tmp_path / "timing" / "memory.csv")) == 2


def until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("lengths=[10]", "lengths is [10]; expected numbers of at least 256"),
        ("lengths=[]", "lengths is []"),
        ("threads=0", "threads is 0; expected at least 1"),
        ("layers=0", "layers is 0; expected at least 1"),
        ("model=nobody", "nobody"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path, capsys, change, message):
    assert command.main([f"results={tmp_path}", change]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
