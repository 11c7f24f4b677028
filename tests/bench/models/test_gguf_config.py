"""What a GGUF file says of its model, and transformers leaves out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from bench.models import gguf
from rows.gguf.header import GgufError
from tests import gguf_files

pytest.importorskip("gguf")
pytest.importorskip("accelerate")

IDS = torch.arange(60)[None] + 5
# Architecture, configuration, and the keys that llama.cpp writes of it. All bases are 20000.
KINDS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("starcoder2", {"norm_epsilon": 3e-3}, {}),
    ("starcoder2", {"sliding_window": 16}, {"attention__sliding_window": 16}),
    (
        "stablelm",
        {"partial_rotary_factor": 0.5, "use_parallel_residual": False, "layer_norm_eps": 3e-3},
        {"rope__dimension_count": 8},
    ),
    ("phi3", {"sliding_window": 16, "pad_token_id": 0}, {"attention__sliding_window": 16}),
    (
        "nemotron",
        {"partial_rotary_factor": 0.25, "norm_eps": 3e-3},
        {"rope__dimension_count": 4},
    ),
    (
        "gemma2",
        {
            "head_dim": 32,
            "sliding_window": 16,
            "attn_logit_softcapping": 20.0,
            "tie_word_embeddings": True,
        },
        {
            "attention__key_length": 32,
            "attention__sliding_window": 16,
            "attn_logit_softcapping": 20.0,
        },
    ),
    ("qwen3", {"head_dim": 128, "rms_norm_eps": 3e-3}, {"attention__key_length": 128}),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUEEZED_MODELS", str(tmp_path / "models"))


def write(path: Path, architecture: str, config: dict[str, Any], keys: dict[str, Any]) -> Any:
    named = {f"{architecture}__{key}": value for key, value in keys.items()}
    padding = {"tokenizer__ggml__padding_token_id": 0}  # phi3 has one beyond this vocabulary
    return gguf_files.write(path, architecture, config=config, **named, **padding)


@pytest.mark.parametrize(("architecture", "config", "keys"), KINDS)
def test_logits_are_those_of_the_model_that_was_written(
    tmp_path: Path, architecture: str, config: dict[str, Any], keys: dict[str, Any]
) -> None:
    path = tmp_path / "a.gguf"
    wanted = write(path, architecture, config, keys)
    model = AutoModelForCausalLM.from_pretrained(gguf.local(path), dtype=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(model(IDS).logits, wanted(IDS).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "keys", "told"),
    [
        ("llama", {"attention__sliding_window": 16}, "attention.sliding_window = 16"),
        ("llama", {"attention__key_length": 32}, "attention.key_length = 32"),
        ("llama", {"attention__scale": 0.5}, "attention.scale = 0.5"),
        ("qwen2", {"rope__dimension_count": 8}, "rope.dimension_count = 8"),
        ("llama", {"logit_scale": 0.25}, "logit_scale = 0.25"),
    ],
)
def test_what_the_model_has_no_place_for_is_refused(
    tmp_path: Path, architecture: str, keys: dict[str, Any], told: str
) -> None:
    path = tmp_path / "a.gguf"
    write(path, architecture, {}, keys)
    with pytest.raises(GgufError, match=told):
        gguf.local(path)


def test_tensors_that_the_model_has_no_place_for_are_refused(tmp_path: Path) -> None:
    """A Llama has no biases unless its configuration says so; no key does."""
    path = tmp_path / "a.gguf"
    write(path, "llama", {"mlp_bias": True}, {})
    with pytest.raises(GgufError, match="no place for 512 of its numbers"):
        gguf.local(path)
