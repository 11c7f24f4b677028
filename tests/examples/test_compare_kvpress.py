"""The committed comparison with kvpress: its tables come from its rows, and the page says what they say."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "results" / "reference" / "kvpress"
MODELS = sorted(path.parent for path in COMMITTED.glob("*/kept.csv"))
METHODS = ("snapkv", "streaming", "knorm", "keydiff", "tova", "expected_attention", "kvzip")


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import compare_kvpress

    return compare_kvpress


@pytest.mark.parametrize("folder", MODELS, ids=lambda path: path.name)
def test_its_tables_are_those_of_its_rows(
    compare: Any, folder: Path, tmp_path: Path, capsys: Any
) -> None:
    for path in folder.glob("*.csv"):
        shutil.copy(path, tmp_path)
    compare.main(["--table", "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert {path.name for path in folder.iterdir()} == {path.name for path in tmp_path.iterdir()}
    for path in folder.glob("*.md"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
        assert path.read_text().strip() in shown


def test_scores_are_compared_by_pairs(compare: Any) -> None:
    rows = [("a", 0, 1.0, 1.0, 0.5), ("a", 1, 0.0, 0.0, 0.5), ("b", 0, 1.0, 0.0, None)]
    columns = ["method", "context", "kvpress", "aligned", "ours"]
    found = compare.table_of_scores(pd.DataFrame(rows, columns=columns)).set_index("method")
    assert found["aligned minus kvpress (95 % CI)"]["a"] == "0.000 (0.000 to 0.000)"
    assert found["defaults minus kvpress (95 % CI)"]["a"] == "0.000 (-0.500 to 0.500)"
    assert found["aligned minus kvpress (95 % CI)"]["b"].startswith("-1.000")
    assert found["defaults minus kvpress (95 % CI)"]["b"] == ""


@pytest.mark.parametrize("folder", MODELS, ids=lambda path: path.name)
def test_the_committed_table_says_that_with_their_settings_the_same_keys_are_kept(
    folder: Path,
) -> None:
    kept = pd.read_csv(folder / "kept.csv")
    common = kept.groupby("method")["aligned"].mean()
    assert set(METHODS) <= set(common.index)
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
