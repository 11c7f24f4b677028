"""Checkpoints, told from their small files: which class loads them, what is refused before weights."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForCausalLM,
)

from bench import models
from bench.cli.validate import model_spec, to_spec
from bench.config.errors import InputError
from bench.config.schema import Config, MethodConf, ModelConf
from bench.models import checkpoint
from bench.records.files import read_records
from bench.runs.run import execute
from bench.tasks.longbench import LongBenchConf
from squeezed.model import families

Bench = Callable[..., Any]
SMALL = {
    **{
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    },
    **{"num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 4096},
}


def copy_of(tiny: Path, folder: Path, without: str = "", **config: Any) -> Path:
    """A copy of the random model, with changes in its configuration."""
    folder.mkdir()
    for path in tiny.iterdir():
        if path.suffix != without:
            (folder / path.name).write_bytes(path.read_bytes())
    found = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(found | config))
    return folder


def with_tokenizer(model: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(models.MINI).save_pretrained(folder)
    return folder


def test_a_model_that_also_reads_images_answers_text(bench: Bench, tmp_path: Path) -> None:
    text = {**SMALL, "vocab_size": 8192, "model_type": "ministral3", "sliding_window": None}
    vision = {**SMALL, "model_type": "pixtral", "image_size": 28, "patch_size": 14}
    config = AutoConfig.for_model(
        "mistral3", text_config=text, vision_config=vision, image_token_index=5
    )
    torch.manual_seed(0)
    folder = with_tokenizer(AutoModelForImageTextToText.from_config(config), tmp_path / "both")
    assert checkpoint.model_class(checkpoint.config_of(str(folder))) is AutoModelForImageTextToText
    result = bench(f"model.path={folder}", "method=squeezed_topk", "task.samples=1")
    assert result.code == 0, result.err
    (path,) = tmp_path.rglob("records.jsonl")
    assert read_records(path)[0]["kv_budget"] < 1


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "vit", "architectures": ["ViTModel"]}, "vit is no causal LM"),
        ({"model_type": "unheard_of"}, "no configuration can be read"),
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4}},
            "llama is quantised by gptq: ",
        ),
        (
            {"quantization_config": {"quant_method": "quanto", "weights": "int8"}},
            "llama is quantised by quanto: ",
        ),
        (
            {"quantization_config": {"quant_method": "sorcery"}},
            "llama is quantised by sorcery: Unknown quantization type",
        ),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
            "LLM.int8, which chooses for each forward pass",
        ),
        (
            {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}},
            "llama is quantised by bitsandbytes: ",
        ),
    ],
)
def test_what_cannot_work_is_refused_without_weights(
    bench: Bench, tiny: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = copy_of(tiny, tmp_path / "copy", without=".safetensors", **changes)
    result = bench(f"model.path={folder}")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert message in result.err


def test_the_engine_refuses_from_the_configuration(
    bench: Bench, tiny: Path, tmp_path: Path, no_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        families, "refusals_of_config", lambda config: iter(["is not to its taste"]), raising=False
    )
    folder = copy_of(tiny, tmp_path / "copy", without=".safetensors")
    result = bench(f"model.path={folder}")
    assert result.code == 2
    assert result.err == "error: llama is not to its taste\n"


def test_folders_that_are_no_models_say_what_they_are(tmp_path: Path) -> None:
    adapter, pieces = tmp_path / "adapter", tmp_path / "pieces"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "some/base"}')
    with pytest.raises(FileNotFoundError, match=r"an adapter of some/base .* merge_and_unload"):
        models.check("x", str(adapter))
    (adapter / "adapter_config.json").write_text("[")
    with pytest.raises(FileNotFoundError, match=r"an adapter and no model"):
        models.check("x", str(adapter))
    with pytest.raises(FileNotFoundError, match=r"is a file; expected the folder"):
        models.check("x", str(adapter / "adapter_config.json"))
    pieces.mkdir()
    (pieces / "config.json").write_text("{}")
    (pieces / "tokenizer.model").write_bytes(b"pieces")
    if not all(map(checkpoint._installed, checkpoint.NEEDED_FOR_PIECES)):
        with pytest.raises(ValueError, match=r"pip install .*\[sentencepiece\]"):
            models.check("x", str(pieces))
    (pieces / "tokenizer.json").write_text("{}")
    models.check("x", str(pieces))


def test_a_revision_pins_a_hub_id(
    bench: Bench, no_model: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [
        model_spec(ModelConf(path="some/model", device="cpu", revision=revision))
        for revision in (None, "abc", "def")
    ]
    assert len({spec.fingerprint for spec in specs}) == 3
    result = bench("model.revision=abc")
    assert result.code == 2
    assert "model.revision is 'abc', but model.path" in result.err
    asked = []

    def from_pretrained(source: str, **given: Any) -> None:
        asked.append(given["revision"])
        raise OSError("not here")

    for each in (AutoConfig, AutoTokenizer, LlamaForCausalLM):
        monkeypatch.setattr(each, "from_pretrained", from_pretrained)
    with pytest.raises(ValueError, match="not here"):
        checkpoint.config_of("some/other", False, "abc")
    with pytest.raises(OSError, match="not here"):
        models.load_tokenizer("some/other", False, "abc")
    assert asked == ["abc", "abc"]


def test_a_table_of_positions_is_a_limit(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=8192, n_embd=32, n_layer=1, n_head=2, n_positions=512, eos_token_id=1
    )
    folder = with_tokenizer(GPT2LMHeadModel(config), tmp_path / "gpt2")
    assert bench(f"model.path={folder}", "method=full", "task.samples=1").code == 0
    result = bench(f"model.path={folder}", "method=full", "task.length=600")
    assert result.code == 2
    assert "task.length is 600 tokens, and gpt2 has positions for 512" in result.err
    # Rows with lengths of their own are measured.
    task = LongBenchConf(subtask="qasper", samples=1)
    model = ModelConf(path=str(folder), device="cpu")
    method = MethodConf(name="full")
    spec = to_spec(Config(model, task, method, results=str(tmp_path / "r"), cache_dir=None))
    monkeypatch.setattr(models, "load_model", lambda *a, **k: pytest.fail("a model was loaded"))
    with pytest.raises(InputError, match=r"the longest row with its answer has .* gpt2 has"):
        execute(spec)


def test_beyond_rotary_positions_records_are_marked(
    bench: Bench, tiny: Path, tmp_path: Path
) -> None:
    folder = copy_of(tiny, tmp_path / "short", max_position_embeddings=300)
    results = f"results={tmp_path / 'results'}"
    result = bench(f"model.path={folder}", "method=full", "task.samples=1", results)
    assert result.code == 0
    assert "short is made for 300; what is beyond is extrapolation" in result.out
    (path,) = (tmp_path / "results").rglob("records.jsonl")
    assert read_records(path)[0]["extrapolated"] is True
    assert bench("method=full", "task.samples=1", f"results={tmp_path / 'other'}").code == 0
    (path,) = (tmp_path / "other").rglob("records.jsonl")
    assert "extrapolated" not in read_records(path)[0]


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Changes the weights of a checkpoint."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("model.layers.1.mlp.up_proj.weight"),
         r"1 weight is missing: model\.layers\.1\.mlp\.up_proj\.weight"),
        (lambda t: [t.pop(name) for name in list(t) if ".layers.1." in name],
         "9 weights are missing: .* and 5 more"),
        (lambda t: t.update({"model.layers.2.mlp.up_proj.weight": torch.ones(2, 2)}),
         r"1 weight is left over, for which the model has no place: model\.layers\.2"),
    ],
    ids=["one", "a layer", "left over"],
)  # fmt: skip
def test_a_checkpoint_that_is_not_whole_is_refused_by_name(
    bench: Bench, tiny: Path, tmp_path: Path, change: Callable[..., Any], message: str
) -> None:
    """What is missing was drawn at random, and scored."""
    folder = copy_of(tiny, tmp_path / "model")
    rewrite(folder, change)
    with pytest.raises(ValueError, match=message):
        models.load_model("x", path=str(folder), device="cpu")
    done = bench(f"model.path={folder}")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert not list((tmp_path / "results").rglob("summary.json"))


def test_what_is_derived_may_be_left_over_and_tied_weights_may_be_missing(
    tiny: Path, tmp_path: Path
) -> None:
    folder = copy_of(tiny, tmp_path / "model", tie_word_embeddings=True)
    rewrite(
        folder, lambda t: t.update({"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)})
    )
    rewrite(folder, lambda t: t.pop("lm_head.weight"))
    models.load_model("x", path=str(folder), device="cpu")


def test_a_model_that_computes_nan_gets_no_score(bench: Bench, tiny: Path, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path / "model")
    rewrite(folder, lambda t: t["model.layers.1.mlp.down_proj.weight"].fill_(float("nan")))
    done = bench(f"model.path={folder}")
    assert done.code == 2
    assert "first in layer 1; the weight model.layers.1.mlp.down_proj.weight is not" in done.err
    assert not list((tmp_path / "results").rglob("summary.json"))
