"""Kernel timings on the keys of a stored index: ``python -m bench.kernels source=FOLDER``."""

import csv
import dataclasses
import math
from pathlib import Path

import pytest
import torch

import squeezed
from bench.models import load_model
from bench.reporting.figures import kernels as figures
from bench.timing.kernels import gate, run, stored
from bench.timing.kernels.settings import Settings
from squeezed.fixed_context import FixedContext
from squeezed.storage.manifest import read_manifest

CPU = torch.device("cpu")
LENGTH, WINDOW = 700, 100


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def context() -> FixedContext:
    """Seven hundred tokens of the embedded model, with two levels of clusters."""
    model, tokenizer = load_model("mini")
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(10, len(tokenizer), (LENGTH,), generator=draw)
    return squeezed.prepare(model, ids, (0.02, 0.1))


@pytest.fixture(scope="module")
def index(context: FixedContext, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return context.save(tmp_path_factory.mktemp("indexes") / "book")


def settings(index: Path, results: Path = Path("none"), **change) -> Settings:
    given = {"device": "cpu", "seconds": 0.01, "threads": 1, "source": [index], "results": results}
    return Settings(**(given | change))


def test_every_layer_and_level_is_planned_as_the_model_has_it(context, index):
    plan = list(stored.planned(settings(index), CPU))
    assert [(shape.layer, shape.depth) for shape in plan] == [
        (layer, depth) for layer in range(len(context.layers)) for depth in (1, 2)
    ]
    layer = context.layers[0]
    for shape in plan:
        assert (shape.length, shape.size, shape.tokens) == (LENGTH, layer.keys.shape[2], 1)
        assert (shape.query_heads, shape.kv_heads) == (len(layer.queries), layer.heads)
        assert (shape.source, shape.dtype, shape.sparsity) == ("book", "float32", 0.9)
        assert read_manifest(index)["sha256"].startswith(shape.index)
    some = stored.planned(settings(index, layers=[1], depth=[2], query_tokens=[1, 5]), CPU)
    assert [(shape.layer, shape.depth, shape.tokens) for shape in some] == [(1, 2, 1), (1, 2, 5)]


@pytest.mark.parametrize("depth", [1, 2])
def test_the_problem_is_what_the_index_holds(context, index, depth):
    asked = settings(index, layers=[1], depth=[depth], query_tokens=[3], sparsity=[0.8])
    (make,) = stored.planned(asked, CPU).values()
    problem, layer = make(), context.layers[1]
    assert torch.equal(problem.keys, layer.keys)
    assert torch.equal(problem.values, layer.values)
    assert torch.equal(problem.query[0], layer.queries[:, -3:])
    assert (problem.scale, problem.window, len(problem.levels)) == (layer.scale, WINDOW, depth)
    for ours, theirs in zip(problem.levels, layer.levels[-depth:], strict=True):
        assert torch.equal(ours.centroids, theirs.centroids)
        assert torch.equal(ours.offsets, theirs.offsets)
    keep, candidates = problem.select()
    kept = (problem.kept_rows(keep) / layer.heads - WINDOW) / layer.clustered
    largest = max(int(level.counts.max()) for level in problem.levels)
    assert abs(kept - 0.2) < largest / layer.clustered  # a cluster more or less
    assert (candidates is None) == (depth == 1)
    output = problem.attend(keep)[0]
    assert gate.check("ours", problem, output, gate.expected(problem, keep)) < 1e-5
    assert gate.check_scores(problem) < 1e-5


def test_another_type_is_the_same_keys_rounded(context, index):
    ((shape, make),) = stored.planned(
        settings(index, layers=[0], depth=[1], dtype="bfloat16"), CPU
    ).items()
    problem = make()
    assert shape.dtype == "bfloat16"
    assert torch.equal(problem.keys, context.layers[0].keys.bfloat16())
    assert problem.query.dtype == torch.bfloat16


@pytest.mark.usefixtures("no_pictures")
def test_the_table_has_both_sources_and_is_resumed(index, tmp_path, capsys):
    random = settings(
        index, tmp_path, source=[], lengths=[4000], heads=["4/2"], head_size=16, depth=[1],
        clustering=False,
    )  # fmt: skip
    of_index = settings(index, tmp_path, layers=[0, 1], depth=[1])
    assert run.guarded(random) == 0
    assert run.guarded(of_index) == 0
    rows = list(csv.DictReader((tmp_path / "kernels/cpu.csv").open()))
    assert {(row["source"], row["layer"]) for row in rows} == {
        ("random", ""), ("book", "0"), ("book", "1"),
    }  # fmt: skip
    for row in rows:
        assert float(row["error"]) < 1e-5
        assert float(row["cpu_ms"]) > 0
    capsys.readouterr()
    assert run.guarded(of_index) == 0
    assert capsys.readouterr().out.count("is in the table") == 2
    names = {path.name for path in (tmp_path / "kernels").iterdir()}
    assert names == {"cpu.csv", "cpu_latency.png", "cpu_speedup.png", "cpu_roofline.png"}
    titled = {axes.get_title(): axes for axes in figures.draw(rows, "latency").axes}
    (title,) = (title for title in titled if title.startswith("book, 700 keys"))
    assert len(titled) == 2
    assert titled[title].get_xlabel() == "layer"
    assert all(list(line.get_xdata()) == [0, 1] for line in titled[title].get_lines())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": [99]}, "layers has 99"),
        ({"depth": [3]}, "depth is 3"),
        ({"query_tokens": [101]}, "keeps queries of 100 tokens"),
        ({"source": [Path("nowhere")]}, "nowhere: no such folder"),
        ({"heads": ["8/2"]}, "heads is given beside source"),
        ({"head_size": 16}, "head_size is given beside source"),
        ({"fraction": 0.1}, "fraction is given beside source"),
    ],
)
def test_what_cannot_be_is_one_line(index, tmp_path, capsys, change, message):
    assert run.guarded(settings(index, tmp_path, **change)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": None}, "keep_queries=True"),
        ({"softcap": 30.0}, "soft cap"),
    ],
)
def test_an_index_that_cannot_be_timed_is_one_line(context, tmp_path, capsys, change, message):
    layers = tuple(dataclasses.replace(layer, **change) for layer in context.layers)
    known = dataclasses.replace(context, layers=layers).with_derived(context.derived)
    folder = known.save(tmp_path / "index")
    assert run.guarded(settings(folder, tmp_path / "out")) == 2
    assert message in capsys.readouterr().err


def test_an_index_without_keys_is_one_line(context, tmp_path, capsys):
    folder = context.save(tmp_path / "index", keys_values=False)
    assert run.guarded(settings(folder, tmp_path / "out")) == 2
    assert "keys_values=True" in capsys.readouterr().err


def test_thresholds_are_new_for_each_type(index):
    plan = stored.planned(settings(index, layers=[0], depth=[2]), CPU)
    (make,) = plan.values()
    assert all(math.isfinite(level.threshold) for level in make().levels)
