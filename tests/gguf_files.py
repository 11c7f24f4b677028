"""Small GGUF files, made here: random models of two architectures with the embedded model's tokenizer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from bench import models

TEMPLATE = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
SIZES: dict[str, Any] = {
    **{"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "rope_theta": 20000.0},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096},
}
KEYS = {
    "context_length": "max_position_embeddings",
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "vocab_size": "vocab_size",
}


PLUS_ONE = ("nemotron", "gemma2", "gemma3")  # whose norms have their factor itself in the file
FEW = 260  # tokens: the special ones, single bytes, and the first that is made of two


def vocabulary(small: bool) -> tuple[list[str], list[str], list[str]]:
    """Tokens, merges and special tokens of the embedded model's tokenizer; ``small``: hardly more
    than bytes, because reading a vocabulary takes most of the time of reading a small file."""
    found = json.loads((models.MINI / "tokenizer.json").read_text())
    tokens = sorted(found["model"]["vocab"], key=found["model"]["vocab"].__getitem__)
    merges = [
        each if isinstance(each, str) else " ".join(each) for each in found["model"]["merges"]
    ]
    special = [each["content"] for each in found["added_tokens"]]
    return (tokens[:FEW], merges[:1], special) if small else (tokens, merges, special)


def random_model(architecture: str, tokens: int, **more: Any) -> Any:
    """A random model of two layers in float32. ``more``: of its configuration."""
    torch.manual_seed(0)
    sizes = {**SIZES, "vocab_size": tokens, "tie_word_embeddings": False, **more}
    rope = {"rope_theta": sizes.pop("rope_theta"), "rope_type": "default"}
    if "partial_rotary_factor" in sizes:
        rope["partial_rotary_factor"] = sizes.pop("partial_rotary_factor")
    config = AutoConfig.for_model(architecture, **sizes, rope_parameters=rope)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))  # biases, too, are not zero
    return model


def write(
    path: Path,
    architecture: str = "llama",
    kind: str = "F32",
    pre: str = "smollm",
    claimed: str | None = None,
    skip: str = "",
    small: bool = True,
    bos: bool = True,
    config: dict[str, Any] | None = None,
    **values: Any,
) -> Any:
    """Writes a GGUF file of a random model; returns that model.

    Args:
        kind: of matrices: F32, F16, BF16 or Q8_0. pre: how texts are cut before tokens are made.
        claimed: architecture that the file names, where it lies. skip: a tensor
            to leave out. small: of the vocabulary. bos: whether texts begin with it.
        config: of the model, beside sizes. values: further keys, dots as ``__``.
    """
    import gguf

    words = vocabulary(small)
    model = random_model(architecture, len(words[0]), **(config or {}))
    writer = gguf.GGUFWriter(path, claimed or architecture)
    writer.add_string("general.name", f"tiny {architecture}")
    writer.add_string("general.license", "apache-2.0")
    for key, name in KEYS.items():
        writer.add_uint32(f"{claimed or architecture}.{key}", getattr(model.config, name))
    writer.add_float32(f"{claimed or architecture}.rope.freq_base", SIZES["rope_theta"])
    epsilon = "attention.layer_norm_rms_epsilon"
    if not hasattr(model.config, "rms_norm_eps"):
        epsilon = "attention.layer_norm_epsilon"
    writer.add_float32(f"{claimed or architecture}.{epsilon}", _epsilon(model.config))
    for key, value in values.items():
        kind_of = {str: writer.add_string, bool: writer.add_bool, int: writer.add_uint32}
        kind_of.get(type(value), writer.add_float32)(key.replace("__", "."), value)
    _add_tokenizer(writer, pre, bos, *words)
    _add_tensors(writer, model, architecture, kind, skip)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def _epsilon(config: Any) -> float:
    names = ("rms_norm_eps", "layer_norm_eps", "norm_epsilon", "norm_eps")
    return next(getattr(config, name) for name in names if hasattr(config, name))


def _add_tokenizer(
    writer: Any, pre: str, bos: bool, tokens: list[str], merges: list[str], special: list[str]
) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index(special[0]))
    writer.add_eos_token_id(tokens.index(special[1]))
    writer.add_add_bos_token(bos)
    writer.add_chat_template(TEMPLATE)


def _add_tensors(writer: Any, model: Any, architecture: str, kind: str, skip: str) -> None:
    import gguf

    arch = {name: each for each, name in gguf.MODEL_ARCH_NAMES.items()}[architecture]
    names = gguf.get_tensor_name_map(arch, model.config.num_hidden_layers)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            base, _, suffix = name.rpartition(".")
            array = weight.numpy()
            if architecture == "llama" and base.endswith(("q_proj", "k_proj")):
                heads = SIZES["num_attention_heads" if "q_proj" in base else "num_key_value_heads"]
                array = _interleaved(array, heads)
            if architecture in PLUS_ONE and name.endswith("norm.weight"):
                array = array + 1
            matrix = array.ndim == 2
            stored = gguf.GGMLQuantizationType[kind if matrix else "F32"]
            packed = gguf.quants.quantize(np.ascontiguousarray(array, np.float32), stored)
            if (called := f"{names.get_name(base)}.{suffix}") != skip:
                writer.add_tensor(called, packed, raw_dtype=stored)
            # What the file holds is what the model must have.
            back = gguf.quants.dequantize(packed, stored).reshape(array.shape)
            if architecture == "llama" and base.endswith(("q_proj", "k_proj")):
                back = _halves(back, heads)
            if architecture in PLUS_ONE and name.endswith("norm.weight"):
                back = back - 1
            weight.copy_(torch.from_numpy(np.array(back)))


def _interleaved(array: Any, heads: int) -> Any:
    """Rows of each head in the order in which llama.cpp turns neighbours, not halves, by RoPE."""
    rows = array.reshape(heads, 2, -1, array.shape[1])
    return rows.swapaxes(1, 2).reshape(array.shape)


def _halves(array: Any, heads: int) -> Any:
    """The inverse of ``_interleaved``."""
    rows = array.reshape(heads, -1, 2, array.shape[1])
    return rows.swapaxes(1, 2).reshape(array.shape)
