"""The waits of a user are measured by turns, kept line by line, and gone on with."""

import csv
import json
import shutil

import pytest
import torch
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from bench.timing.waits import command
from bench.timing.waits.steps import prefilled
from squeezed.model import attention

SMALL = (
    "lengths=320",
    "batches=1,2",
    "questions=5",
    "threads=1",
    "seconds=0",
    "contexts=1",
    "kv_budget=0.6",
)


def rows(folder):
    with (folder / "timing" / "waits.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_line_has_ours_beside_transformers_and_is_measured_once(tmp_path, monkeypatch):
    asked = [f"results={tmp_path}", "methods=full,topk", *SMALL]
    assert command.main(asked) == 0
    first = rows(tmp_path)
    lines = {(row["what"], row["batch"]): [] for row in first}
    for row in first:
        lines[row["what"], row["batch"]].append(row["who"])
        assert float(row["cpu_ms"]) > 0
    assert lines[("context", "1")] == ["transformers", "prefill", "index"]
    for what in ("question", "token"):
        for batch in ("1", "2"):
            assert lines[what, batch] == ["floor", "transformers", "full", "topk"]
    assert {row["cpu_share"] for row in first if row["who"] == "transformers"} <= {"1", ""}
    monkeypatch.setattr("squeezed.prepare", None)  # nothing is measured a second time
    assert command.main(asked) == 0
    assert rows(tmp_path) == first


def test_other_budgets_methods_and_models_are_measured(tmp_path, tiny):
    """They were in the table already, for whoever had asked for something else."""
    few = [x for x in SMALL if x.split("=")[0] not in ("batches", "kv_budget")]
    asked = [f"results={tmp_path}", "batches=1", *few]

    def who(budget, **more):
        given = {"model": "mini", "what": "token", "kv_budget": budget, **more}
        found = rows(tmp_path)
        return [r["who"] for r in found if all(r[name] == v for name, v in given.items())]

    assert command.main([*asked, "methods=topk", "kv_budget=0.6"]) == 0
    assert command.main([*asked, "methods=full", "kv_budget=0.6"]) == 0
    assert who("0.6") == ["floor", "transformers", "full", "topk"]  # by turns, with what was there
    before = rows(tmp_path)
    assert command.main([*asked, "methods=topk", "kv_budget=0.6"]) == 0
    assert rows(tmp_path) == before
    assert command.main([*asked, "methods=topk", "kv_budget=0.7"]) == 0
    assert who("0.7") == ["floor", "transformers", "topk"]
    assert who("0.6") == ["floor", "transformers", "full", "topk"]
    assert command.main([*asked, "methods=topk", "kv_budget=0.6", f"path={tiny}"]) == 0
    assert any(row["model"].startswith("mini (tiny ") for row in rows(tmp_path))


def test_it_times_the_processor_where_there_is_a_gpu_too(tmp_path, monkeypatch):
    """Times of the GPU stood under the processor's name."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    asked = ["methods=full", "batches=1", *(x for x in SMALL if "batches" not in x)]
    assert command.main([f"results={tmp_path}", *asked]) == 0
    assert len(rows(tmp_path)) == 3 + 2 * 3


def test_a_profile_says_where_the_time_of_each_step_goes(tmp_path):
    asked = ["methods=topk", "batches=1", "profile=true", *(x for x in SMALL if "batches" not in x)]
    assert command.main([f"results={tmp_path}", *asked]) == 0
    with (tmp_path / "timing" / "profile.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    parts = {(row["what"], row["who"], row["part"]): float(row["ms"]) for row in found}
    for what in ("question", "token"):
        assert parts[what, "topk", "compiled loops of ours"] > 0
        assert parts[what, "floor", "compiled loops of ours"] == 0
        assert parts[what, "floor", "torch's attention"] > 0
        for who in ("floor", "transformers", "topk"):
            assert parts[what, who, "matrix products"] > 0
            assert parts[what, who, "Python of transformers"] > 0


def test_a_cache_that_does_not_fit_is_left_out(tmp_path, capsys):
    asked = ["methods=topk", "memory=0.000001", *SMALL[:1], "batches=1", *SMALL[2:]]
    assert command.main([f"results={tmp_path}", *asked]) == 0
    found = {row["who"] for row in rows(tmp_path) if row["what"] == "token"}
    assert found == {"floor", "topk"}


def test_passes_of_many_tokens_are_left_out(tmp_path, capsys):
    asked = ["methods=topk", "batches=1,3", "questions=4,9", "together=12"]
    rest = [each for each in SMALL if each.split("=")[0] not in ("batches", "questions")]
    assert command.main([f"results={tmp_path}", *asked, *rest]) == 0
    found = {(row["tokens"], row["batch"]) for row in rows(tmp_path) if row["what"] == "token"}
    assert found == {("4", "1"), ("9", "1"), ("4", "3")}
    assert "4/4" in capsys.readouterr().err  # the bar ends full


def test_a_context_whose_line_is_left_out_is_asked_all_the_same(tmp_path, capsys):
    rest = [each for each in SMALL if "contexts" not in each]
    assert command.main([f"results={tmp_path}", "methods=topk", "contexts=0", *rest]) == 0
    assert {row["what"] for row in rows(tmp_path)} == {"question", "token"}
    assert "2/2" in capsys.readouterr().err  # the bar ends full


def test_a_cache_filled_in_passes_holds_what_one_of_a_single_pass_does():
    config = Gemma3TextConfig(
        vocab_size=32,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        sliding_window=6,
        layer_types=["sliding_attention", "full_attention"] * 2,
    )
    torch.manual_seed(0)
    model = Gemma3ForCausalLM(config).eval()
    attention.switch(model)
    ids = torch.randint(32, (45,))
    whole, parts = prefilled(model, ids), prefilled(model, ids, chunk=7)
    assert parts.get_seq_length() == whole.get_seq_length() == 45
    for ours, theirs in zip(parts.layers, whole.layers, strict=True):
        torch.testing.assert_close(ours.keys, theirs.keys)
        torch.testing.assert_close(ours.values, theirs.values)


@pytest.mark.parametrize(
    "wrong",
    [
        "contexts=-1",
        "together=3",
        "questions=5000",
        "lengths=1",
        "batches=0",
        "methods=foo",
        "kv_budget=2",
        "model=foo",
        "threads=0",
    ],
)
def test_what_cannot_be_is_refused_in_one_line(wrong, tmp_path, capsys):
    assert command.main([f"results={tmp_path}", wrong]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_example_of_the_help_page_can_be_measured(tmp_path, capsys):
    assert command.main(["--help"]) == 0
    (line,) = [
        each for each in capsys.readouterr().out.splitlines() if "model=mini lengths" in each
    ]
    few = ["questions=5", "contexts=1", f"results={tmp_path}"]
    assert command.main([*line.split()[2:], *few]) == 0


def test_a_budget_that_cannot_be_met_is_refused_before_anything_is_timed(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("squeezed.prepare", None)
    asked = [f"results={tmp_path}", *SMALL[1:], "lengths=1024,4096", "kv_budget=0.1"]
    assert command.main(asked) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "lengths=1024, methods=topk: a budget of 102 of 1024 tokens does not cover" in said
    assert "ask for at least kv_budget=0.1" in said
    assert not list(tmp_path.iterdir())


def test_a_model_that_cannot_be_served_is_refused_in_one_line(tmp_path, tiny, capsys):
    shutil.copytree(tiny, tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "canvas_length": 32}))
    assert command.main([f"results={tmp_path}", f"path={tmp_path / 'model'}", *SMALL]) == 2
    assert "writes by block diffusion" in capsys.readouterr().err.strip().splitlines()[-1]
