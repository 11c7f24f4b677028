"""The committed comparison with kvpress: its tables come from its rows, and the page says what they say."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "results" / "reference" / "kvpress"
METHODS = ("snapkv", "streaming", "knorm", "keydiff", "tova", "expected_attention", "kvzip")


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import compare_kvpress

    return compare_kvpress


def test_its_tables_are_those_of_its_rows(compare: Any, tmp_path: Path, capsys: Any) -> None:
    for name in ("scores.csv", "kept.csv"):
        shutil.copy(COMMITTED / name, tmp_path)
    compare.main(["--table", "--out", str(tmp_path)])
    for name in ("table.csv", "table.md"):
        assert (tmp_path / name).read_bytes() == (COMMITTED / name).read_bytes()
    assert capsys.readouterr().out.strip() == (COMMITTED / "table.md").read_text().strip()


def test_every_method_was_asked_a_hundred_rows() -> None:
    scores = pd.read_csv(COMMITTED / "scores.csv")
    assert set(METHODS) <= set(scores["method"])
    assert set(scores.groupby("method")["question"].nunique()) == {100}


def test_with_their_settings_the_same_keys_are_kept() -> None:
    kept = pd.read_csv(COMMITTED / "kept.csv")
    common = kept.groupby("method")["aligned"].mean()
    for name in METHODS:
        if name == "kvzip":  # its instruction is what we do not have
            assert common[name] < 0.95
            name = "kvzip, no instruction"
        assert common[name] > 0.99, name


def test_shares_of_keys_in_common(compare: Any) -> None:
    read = {
        "": {"kept": [[[0, 1, 2, 3], [4, 5, 6, 7]]]},
        "aligned-": {"kept": [[[0, 1, 2, 3], [4, 5, 0, 1]]]},
        "default-": {"kept": [[[8, 9, 10, 11], [4, 5, 6, 7]]]},
    }
    assert compare._shares(read) == [
        {"aligned": 0.75, "aligned_least": 0.5, "ours": 0.5, "ours_least": 0.0}
    ]
