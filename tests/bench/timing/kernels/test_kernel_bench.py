"""The kernel benchmark: problems, gate, table, and the command from end to end."""

import csv
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import squeezed
from bench.reporting.figures import kernels as figures
from bench.timing.kernels import clock, command, gate, measure, run
from bench.timing.kernels.problem import make
from bench.timing.kernels.settings import Settings, Shape, shapes
from bench.timing.kernels.table import FIELDS, KEYS, Table
from tests import forked

ROOT = Path(__file__).parents[4]
CPU = torch.device("cpu")
SMALL = Shape(4000, 4, 2, 16, 1, 0.8, 2, "float32")


def small_settings(tmp_path, **change):
    given = {
        "device": "cpu", "lengths": [4000], "heads": ["4/2"], "head_size": 16, "seconds": 0.01,
        "threads": 1, "clustering": False, "results": tmp_path,
    }  # fmt: skip
    return Settings(**(given | change))


@pytest.fixture(autouse=True)
def same_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": [100]}, "a length is 100; expected at least 4000"),
        ({"heads": ["5/2"]}, "heads is '5/2'"),
        ({"sparsity": [1.0]}, "sparsity is 1.0"),
        ({"depth": [3]}, "depth is 3"),
        ({"query_tokens": [0]}, "query_tokens is 0"),
        ({"head_size": 300}, "head_size is 300"),
        ({"fraction": 1.5}, "fraction is 1.5"),
        ({"layers": [0]}, "layers are given without source"),
        ({"source": [Path("x")]}, "lengths is given beside source"),
    ],
)
def test_bad_settings_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        shapes(small_settings(tmp_path, **change))


def test_an_empty_list_means_the_default(tmp_path):
    """No sparsity was no shape, and a traceback."""
    given, default = (
        shapes(small_settings(tmp_path, **more)) for more in ({"sparsity": []}, {"sparsity": [0.9]})
    )
    assert given == default != []


@pytest.mark.parametrize("argument", ["device=tpu", "dtype=int8", "minutes=0", "lengths=many"])
def test_the_command_refuses_in_one_line(tmp_path, capsys, argument):
    assert command.main([f"results={tmp_path}", argument]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {argument.partition('=')[0]} is ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_problem_keeps_the_share_that_was_asked_for():
    for depth in (1, 2):
        shape = Shape(8000, 4, 4, 16, 1, 0.9, depth, "float32")
        problem = make(shape, 0.05, CPU)
        keep, candidates = problem.select()
        kept = (keep[0, :, 0] * problem.levels[-1].counts).sum(1).double()
        # One cluster more or less is all that a threshold can resolve.
        assert abs(kept.sum().item() / (4 * 7900) - 0.1) < 0.01
        assert kept.max() > 1.5 * kept.min()  # unequal shares
        assert (candidates is None) == (depth == 1)
        scored, rows = problem.scored(candidates), problem.kept_rows(keep)
        assert scored < 2 * problem.levels[-1].counts.numel()
        # A 16-bit centroid costs a quarter of a float32 key and value.
        share = problem.sparse_bytes(scored, rows) / problem.dense_bytes()
        assert share == pytest.approx((rows + scored / 4) / (4 * 8000), rel=1e-6)
        assert share < 0.15


def test_depth_two_scores_fewer_centroids():
    one, two = (make(Shape(8000, 4, 4, 16, 1, 0.9, d, "float32"), 0.05, CPU) for d in (1, 2))
    _, candidates = two.select()
    scored = int(candidates.sum()) + two.levels[0].counts.numel()
    assert scored < 0.85 * one.levels[0].counts.numel()


def test_gate_accepts_right_and_refuses_wrong_results():
    problem = make(SMALL, 0.05, CPU)
    keep, _ = problem.select()
    output = problem.attend(keep)[0]
    want = gate.expected(problem, keep)
    assert gate.check("ours", problem, output, want) < 1e-5
    assert gate.check_scores(problem) < 1e-5
    with pytest.raises(gate.WrongResultError, match="ours is wrong by"):
        gate.check("ours", problem, output, gate.expected(problem, None))  # sparse is not dense
    with pytest.raises(gate.WrongResultError, match="wrong by nan"):
        gate.check("ours", problem, output * float("nan"), want)


def test_quantiles():
    times = clock.summary([5.0, 1.0, 2.0, 3.0, 4.0, 100.0])
    assert (times.median, times.low, times.high, times.rounds) == (3.5, 2.0, 5.0, 6)
    assert times.cpu is None
    assert clock.summary([1.0, 2.0], [3.0, 5.0]).cpu == 4.0


def test_table_is_replaced_shape_by_shape(tmp_path):
    table = Table(tmp_path / "t.csv")
    row = dict.fromkeys(FIELDS, "1")
    table.replace([row | {"provider": "a"}, row | {"provider": "b"}])
    table.replace([row | {"context": "2"}])
    table.replace([row | {"provider": "c", "median_ms": 1 / 3}])
    again = Table(tmp_path / "t.csv")
    assert [(r["context"], r["provider"]) for r in again.rows] == [("2", "1"), ("1", "c")]
    assert again.rows[1]["median_ms"] == "0.33333"
    assert again.has(dict.fromkeys(KEYS, 1))
    assert not again.has(dict.fromkeys(KEYS, 3))
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_table_of_another_version_is_not_overwritten(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="the columns are not those of this version"):
        Table(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,b\n1,2\n"


def test_run_writes_table_and_figures_and_resumes(tmp_path, capsys, monkeypatch):
    settings = small_settings(tmp_path, query_tokens=[1, 3])
    assert run.guarded(settings) == 0
    rows = list(csv.DictReader((tmp_path / "kernels/cpu.csv").open()))
    providers = {row["provider"] for row in rows}
    assert providers == {"squeezed", "squeezed layer", "own dense", "sdpa", "matmul"}
    assert {(row["depth"], row["query_tokens"]) for row in rows} == {
        ("1", "1"), ("2", "1"), ("1", "3"), ("2", "3"),
    }  # fmt: skip
    for row in rows:
        assert (row["source"], row["index"], row["layer"]) == ("random", "", "")
        assert float(row["cpu_ms"]) > 0
        assert 0 < float(row["low_ms"]) <= float(row["median_ms"]) <= float(row["high_ms"])
        assert float(row["error"]) < 1e-5
        dense = row["provider"] not in ("squeezed", "squeezed layer")
        assert (float(row["kept"]) == 1) == dense
    names = {path.name for path in (tmp_path / "kernels").iterdir()}
    assert names == {"cpu.csv", "cpu_latency.png", "cpu_speedup.png", "cpu_roofline.png"}
    monkeypatch.setattr(run, "measure", lambda *_: pytest.fail("measured again"))
    capsys.readouterr()
    assert run.guarded(settings) == 0
    assert capsys.readouterr().out.count("is in the table") == 4


def test_another_share_of_clusters_is_another_shape(tmp_path, capsys):
    """The second run printed that it was in the table, and measured nothing."""
    given = {"query_tokens": [1], "depth": [1]}
    assert run.guarded(small_settings(tmp_path, **given)) == 0
    assert run.guarded(small_settings(tmp_path, **given, fraction=0.2)) == 0
    assert "is in the table" not in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "kernels/cpu.csv").open()))
    assert {row["source"] for row in rows} == {"random", "random, 0.2 clusters"}


def test_a_wrong_kernel_is_not_timed(tmp_path, capsys, monkeypatch):
    real = gate.expected
    monkeypatch.setattr(gate, "expected", lambda *a: 2 * real(*a))
    assert run.guarded(small_settings(tmp_path)) == 1
    assert "squeezed is wrong by 5.0e-01" in capsys.readouterr().err
    assert not (tmp_path / "kernels/cpu.csv").exists()


def test_time_limit_begins_no_new_shape(tmp_path, capsys):
    assert run.guarded(small_settings(tmp_path, minutes=1e-9)) == 0
    assert "not begun" in capsys.readouterr().out


def test_bad_input_is_one_line_and_exit_code_two(tmp_path, capsys):
    assert run.guarded(small_settings(tmp_path, lengths=[7])) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: a length is 7")
    assert error.count("\n") == 1


def test_a_provider_that_cannot_is_said_and_left_out(tmp_path, capsys, monkeypatch):
    def broken(problem):
        raise RuntimeError("no such kernel")

    provider = measure.PROVIDERS[3]
    broken = type(provider)("broken", broken, lambda problem: True)
    monkeypatch.setattr(measure, "PROVIDERS", (*measure.PROVIDERS, broken))
    assert run.guarded(small_settings(tmp_path, depth=[1])) == 0
    assert "broken: cannot do this (no such kernel)" in capsys.readouterr().out


def test_clustering_is_timed_by_backend(tmp_path, monkeypatch):
    from bench.timing.kernels import clustering_time

    monkeypatch.setitem(clustering_time.LAYERS, "cpu", clustering_time.Layer(1, 200, 10, 8))
    assert run.guarded(small_settings(tmp_path, depth=[1], clustering=True)) == 0
    rows = list(csv.DictReader((tmp_path / "kernels/cpu_clustering.csv").open()))
    assert {r["what"] for r in rows} == {"assign reference", "assign cpu", "k-means of a layer"}
    assert all(float(row["seconds"]) > 0 for row in rows)


def test_what_the_first_clustering_pays_is_not_timed(tmp_path, monkeypatch):
    """It loads and compiles, and stood in the table 32 times."""
    from bench.timing.kernels import clustering_time

    calls = []

    def clustered(points, clusters):
        time.sleep(0.001 if calls else 0.5)
        calls.append(points.shape[1])

    monkeypatch.setattr("squeezed.clustering.spherical_kmeans", clustered)
    monkeypatch.setitem(clustering_time.LAYERS, "cpu", clustering_time.Layer(1, 2000, 100, 8))
    assert run.guarded(small_settings(tmp_path, depth=[1], clustering=True)) == 0
    rows = list(csv.DictReader((tmp_path / "kernels/cpu_clustering.csv").open()))
    (row,) = [row for row in rows if row["what"] == "k-means of a layer"]
    assert float(row["seconds"]) < 0.4
    assert calls[-1] == 2000
    assert calls[0] < 2000


def test_a_whole_model_is_timed_warm_by_turns_and_in_the_middle(tmp_path, monkeypatch):
    """It was one cold preparation, and one answer of each method after the other's."""
    from bench.timing.kernels import model

    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 64}  # fmt: skip
    monkeypatch.setitem(model.SIZES, "cpu", size)
    monkeypatch.setitem(model.CONTEXT, "cpu", 2048)
    asked, prepared = [], []
    prepare = squeezed.prepare

    def answered(*_, method, **__):
        asked.append(type(method).__name__)
        # The first ones warm up, and one is spoiled by other work on the machine.
        slow = 1000.0 if len(asked) in (1, 2, 5) else 10.0 + len(asked)
        stats = SimpleNamespace(prefill_ms=slow, decode_ms_per_token=2 * slow, kv_budget=0.5)
        return SimpleNamespace(stats=stats)

    monkeypatch.setattr(squeezed, "generate", answered)
    monkeypatch.setattr(
        squeezed, "prepare", lambda model, ids: prepared.append(len(ids)) or prepare(model, ids)
    )
    assert run.guarded(small_settings(tmp_path, depth=[1], model=True)) == 0
    assert prepared[-1] == 2048
    assert prepared[0] < 2048
    assert asked[:4] == ["Full", "Squeezed"] * 2
    full, ours = csv.DictReader((tmp_path / "kernels/cpu_model.csv").open())
    for row in (full, ours):
        assert 10 < float(row["first_token_ms"]) < 30
        assert float(row["per_token_ms"]) == 2 * float(row["first_token_ms"])


def test_plain_command_works_without_hydra_pandas_datasets_and_matplotlib(tmp_path):
    code = (
        "import sys\n"
        "for name in ('hydra', 'omegaconf', 'pandas', 'datasets', 'matplotlib', 'transformers'):\n"
        "    sys.modules[name] = None\n"
        "from bench.timing.kernels import command\n"
        f"sys.exit(command.main('device=cpu lengths=4000 heads=2/2 head_size=16 seconds=0.01 "
        f"depth=1 clustering=false results={tmp_path}'.split()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "kernels").iterdir()] == ["cpu.csv"]


def test_the_command(tmp_path):
    command = [
        "bench.kernels", "device=cpu", "lengths=[4000]", "heads=[2/2]",
        "head_size=16", "seconds=0.01", "depth=[1]", "clustering=false", f"results={tmp_path}",
    ]  # fmt: skip
    done = forked.run(*command)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "kernels/cpu.csv").exists()
    wrong = forked.run(*command, "lenghts=[1]")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: ")
    assert wrong.stderr.count("\n") == 1


def test_figures_need_no_second_length(tmp_path):
    row = dict.fromkeys(FIELDS, "1") | {"provider": "squeezed", "vs_sdpa": ""}
    assert len(figures.write([row], tmp_path, "x")) == 3


def test_every_line_of_a_figure_has_a_look_of_its_own():
    plain = dict.fromkeys(FIELDS, "1")
    rows = [
        plain | {"provider": provider, "depth": depth, "sparsity": "0.9"}
        for provider in ("squeezed", "squeezed layer")
        for depth in ("1", "2")
    ]
    (axes,) = figures.draw(rows, "speedup").axes
    looks = {
        (line.get_color(), line.get_marker(), line.get_linestyle()) for line in axes.get_lines()
    }
    assert len(looks) == len(axes.get_lines()) == 8


def test_a_machine_without_the_plotting_library_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    monkeypatch.delitem(sys.modules, "bench.reporting.figures.kernels", raising=False)
    monkeypatch.delattr("bench.reporting.figures.kernels")
    run.draw([dict.fromkeys(FIELDS, "1")], tmp_path, torch.device("cpu"))
    assert "no figures: " in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
