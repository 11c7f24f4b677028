"""What finding keys costs: the table, and what is refused."""

import re

import pandas as pd
import pytest
import torch

from bench.timing.lookups import command, measure
from bench.timing.lookups.reads import Reading

SMALL = ["lengths=[1000,2000]", "heads=[4/2,2/2]", "sizes=[16,24]", "seconds=0"]


def test_every_shape_and_length_has_a_line_for_each_step(tmp_path, capsys):
    assert command.main([f"results={tmp_path}", *SMALL]) == 0
    table = pd.read_csv(tmp_path / "tables" / "lookups.csv")
    names = list(measure.steps(2, 1, 16, 1000))
    assert list(table["what"]) == names * 4
    assert (table.loc[table["what"] == measure.DENSE, "of_dense"] == 1).all()
    assert (table["median_ms"] > 0).all()
    assert list(table["head_size"].unique()) == [16, 24]
    assert "lookup of codes" in (tmp_path / "tables" / "lookups.md").read_text()
    assert "2/2 heads of 24, 2000 keys" in capsys.readouterr().out


def test_steps_are_what_they_are_called():
    steps = {name: step() for name, step in measure.steps(4, 2, 16, 1000).items()}
    for name, found in steps.items():
        if name == measure.DENSE:
            assert found[0].shape == (1, 4, 1, 16)
        elif name.endswith("only read"):
            assert isinstance(found, float)
        elif name.startswith(("step", "attention")):
            assert found.shape == (1, 4, 1, 16)
            assert bool(found.isfinite().all())
        else:
            share = re.search(r"(\d+)% centroids", name)
            rows = 1000 * int(share[1]) // 100 if share else 1000
            assert found.shape == (1, 2, 1, rows)
            dropped = re.search(r"(\d+)% dropped", name)
            scored = found.isfinite().float().mean() if dropped else 1
            # Keys are dropped by whole clusters, of 20 and of 100 here.
            assert scored == pytest.approx(1 - int(dropped[1]) / 100 if dropped else 1, abs=0.11)


def test_kept_groups_are_read_and_no_others():
    made = torch.Generator().manual_seed(1)
    keys, values = torch.randn(2, 2, 30, 5, generator=made)
    offsets = torch.tensor([[0, 4, 4, 11, 30], [0, 1, 2, 29, 30]])
    keep = torch.tensor([[True, True, False, True], [False, True, True, False]])
    rows = [*range(4), *range(11, 30)]
    want = sum(float(t[0, rows].double().sum() + t[1, 1:29].double().sum()) for t in (keys, values))
    assert Reading.of(keys, values, keep, offsets).sum() == pytest.approx(want, abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("heads=9/2", "heads has '9/2'; expected query heads/KV heads"),
        ("heads=x", "heads has 'x'"),
        ("sizes=[16]", "expected one size for each of heads"),
        ("sizes=[16,4]", "sizes is [16, 4]; expected numbers of at least 8"),
        ("lengths=10", "lengths is [10]; expected numbers of at least 1000"),
        ("threads=0", "must be above 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path, capsys, changes, message):
    assert command.main([f"results={tmp_path}", *SMALL, changes]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
