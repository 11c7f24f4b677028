"""The comparison with scikit-learn: how inertia is measured, the tables, and what is refused."""

import pandas as pd
import pytest
import torch

from bench.timing import command, kmeans


def test_inertia_hand_worked():
    keys = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    # The unit mean of the first two is (1, 1) / sqrt 2: squared distance 2 - sqrt 2 each.
    measured = kmeans.inertia(keys, torch.tensor([0, 0, 1]))
    assert measured == pytest.approx(2 * (2 - 2**0.5))
    order, counts = torch.tensor([[2, 1, 0]]), torch.tensor([[1, 2]])
    assert kmeans.partition_inertia(keys[None], order, counts) == pytest.approx(measured)


def test_writes_both_tables(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.setitem(kmeans.SETS, "mini-4k", lambda: kmeans.mixture(1000, 16, 50, 0.3))
    assert command.main([f"results={tmp_path}", "sets=mini-4k", "seeds=1"]) == 0
    tables = tmp_path / "tables"
    flat = pd.read_csv(tables / "clustering-sklearn.csv")
    assert list(flat["solver"]) == ["scikit-learn KMeans", "squeezed"] * len(kmeans.BUDGETS)
    assert (flat["inertia / scikit-learn"] < 1.02).all()
    nested = pd.read_csv(tables / "clustering-strategies.csv")
    assert set(nested["strategy"]) == {"bottom-up", "top-down"}
    assert len(nested) == 2 * (2 + 3)
    assert "1 thread(s), mean of 1 seeds" in (tables / "clustering-sklearn.md").read_text()
    assert "wrote" in capsys.readouterr().out
    assert not list(tables.glob(".*tmp*"))


@pytest.mark.parametrize("wrong", ["seeds=0", "sets=", "sets=[]"])
def test_nothing_to_measure_is_refused_in_one_line(tmp_path, capsys, wrong):
    assert command.main([f"results={tmp_path}", wrong]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command.main([f"results={tmp_path / 'file' / 'x'}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_sets_that_can_be_asked_for_are_those_there_are():
    assert tuple(kmeans.SETS) == command.SETS
