"""Tiny random models of every causal-LM type that transformers knows.

A type's default configuration is shrunk by one table of sizes, which applies wherever a configuration has a
setting of that name, and by what its type needs besides. Every kind of layer that the default names occurs.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch

from squeezed.check.types import ABSENT, AS_IS, CHANGES, DROPPED

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig, PreTrainedModel

VOCABULARY = 128
LAYERS = 4
WINDOW = 24  # of sliding layers, in tokens
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "hidden_size_global": 64,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "sliding_window": WINDOW,
    # encoder-decoder families by their own names
    "d_model": 64,
    "decoder_layers": 2,
    "encoder_layers": 1,
    "decoder_attention_heads": 4,
    "encoder_attention_heads": 4,
    "decoder_ffn_dim": 64,
    "encoder_ffn_dim": 64,
    "embedding_size": 64,
    "word_embed_proj_dim": 64,
    # experts
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "moe_num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_topk": 2,
    "moe_k": 2,
    "top_k_experts": 2,
    "n_shared_experts": 1,
    "num_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
    "num_dense_layers": 1,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "shared_intermediate_size": 32,
    "intermediate_size_mlp": 64,
    "expert_ffn_hidden_size": 32,
    "ffn_hidden_size": 64,
    # latent attention
    "kv_lora_rank": 16,
    "q_lora_rank": 24,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 12,
    "index_head_dim": 16,
    "index_n_heads": 4,
    # recurrent layers
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "state_size": 16,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_num_heads": 8,
    "mamba_head_dim": 16,
    "mamba_n_groups": 1,
    "mamba_d_ssm": 128,
    "n_mamba_heads": 2,
    "n_groups": 1,
    "chunk_size": 32,
    "lru_width": 64,
    # the rest
    "attention_chunk_size": 64,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": None,
    "initializer_range": 0.2,
}
LATENT = "kv_lora_rank"


def model_types() -> tuple[str, ...]:
    """Every type that transformers maps to a causal LM, in its order."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return tuple(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def seeing_types() -> tuple[str, ...]:
    """Every other type that transformers maps to a model of images and text that writes text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    known = set(model_types())
    return tuple(each for each in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES if each not in known)


def tiny_config(model_type: str, **changes: Any) -> PreTrainedConfig:
    """The type's default configuration made small.

    Args:
        changes: settings of the text part that override the tables.

    Raises:
        ValueError: there is no model of this type alone.
    """
    from transformers import CONFIG_MAPPING

    if model_type in ABSENT:
        raise ValueError(ABSENT[model_type])

    config = _tiny(CONFIG_MAPPING[model_type], CHANGES.get(model_type, {}), changes)
    _shrink_sections(config)
    return config


def _shrink_sections(config: PreTrainedConfig) -> None:
    """Sections of rotary positions in time, height and width (MRoPE) for the small heads.

    Models that read none leave them alone; the defaults of those that do are for larger heads.
    """
    text = config.get_text_config(decoder=True)
    ropes = getattr(text, "rope_parameters", None)
    if ropes and "rope_type" in ropes and config is not text:
        size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        half = int(size * ropes.get("partial_rotary_factor", 1.0)) // 2
        rest = 3 * half // 8
        ropes["mrope_section"] = [half - 2 * rest, rest, rest]


def _tiny(
    kind: type[PreTrainedConfig], fixed: dict[str, Any], changes: dict[str, Any]
) -> PreTrainedConfig:
    fixed = copy.deepcopy(fixed)
    default = kind()
    settings = sizes(default)
    text = next((n for n in ("text_config", "decoder") if n in kind.sub_configs), None)
    as_is = fixed.pop(AS_IS, {})
    for name in kind.sub_configs.keys() - as_is.keys():
        part = getattr(default, name, None)
        if part is not None:
            inner = fixed.pop(name, {})
            settings[name] = _tiny(type(part), inner, changes if name == text else {}).to_dict()
    settings |= fixed | as_is
    if text is None:
        settings |= changes
    return kind(**{name: value for name, value in settings.items() if value != DROPPED})


def sizes(default: PreTrainedConfig) -> dict[str, Any]:
    """The settings of the table that a configuration has, and its layers, of each kind some."""
    names = set(default.to_dict())
    settings = {name: value for name, value in SIZES.items() if _has(default, names, name)}
    latent = LATENT in settings
    if latent:
        rope = settings.get("qk_rope_head_dim")
        if settings.pop("head_dim", None) and _value(default, "head_dim") == _value(
            default, "qk_rope_head_dim"
        ):
            settings["head_dim"] = rope
        if "num_key_value_heads" in settings:
            settings["num_key_value_heads"] = settings["num_attention_heads"]
    if _value(default, "sliding_window") is None:
        settings.pop("sliding_window", None)
    layers = 2
    if not getattr(default, "layer_types", None) and "sliding_window" in settings:
        # Or it would be in every layer, with nothing to index; one that cannot be left stays so.
        field = type(default).__dataclass_fields__.get("sliding_window")
        inside = default.sliding_window < _value(default, "max_position_embeddings")
        inside &= field is None or "None" in str(field.type)
        settings["sliding_window"] = None if inside else SIZES["max_position_embeddings"]
    kinds = getattr(default, "layer_types", None)
    if kinds and isinstance(kinds, (list, tuple)):
        several = list(dict.fromkeys(kinds))
        if len(several) > 1 or several[0].startswith("sliding"):
            layers = max(LAYERS, len(several))
            several = several if len(several) > 1 else [*several, "full_attention"]
        name = default.attribute_map.get("layer_types", "layer_types")
        if not isinstance(getattr(type(default), name, None), property):
            settings["layer_types"] = (several * layers)[:layers]
    if "mlp_layer_types" in names and _value(default, "mlp_layer_types"):
        mlp = list(dict.fromkeys(_value(default, "mlp_layer_types")))
        settings["mlp_layer_types"] = (mlp * layers)[:layers]
    settings["num_hidden_layers"] = layers
    return settings


def _has(config: PreTrainedConfig, names: set[str], name: str) -> bool:
    return name in names or name in config.attribute_map


def _value(config: PreTrainedConfig, name: str) -> Any:
    """A setting; of a configuration that differs between layers, the global one."""
    return config.to_dict().get(config.attribute_map.get(name, name))


def tiny_model(config: PreTrainedConfig, attention: str = "eager") -> PreTrainedModel:
    """A model of seeded random weights, float32, in evaluation mode, with sharp attention.

    Args:
        attention: the implementation that it runs on its own.
    """
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    torch.manual_seed(0)
    writes = type(config) in AutoModelForCausalLM._model_mapping
    auto = AutoModelForCausalLM if writes else AutoModelForImageTextToText
    model = auto.from_config(config, dtype=torch.float32, attn_implementation=attention)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            _draw(name, weight, draw)
    return model.eval()


def _draw(name: str, weight: torch.Tensor, draw: torch.Generator) -> None:
    """Weights large enough that attention is sharp; what is no matrix stays as the model made it."""
    last = name.rpartition(".")[2]
    noise = torch.randn(weight.shape, generator=draw)
    if last in ("sinks", "sink"):
        weight.copy_(noise)
    elif last == "bias" and weight.ndim == 1:
        weight.copy_(0.1 * noise)
    elif weight.ndim in (2, 3) and not name.endswith(("A_log", "conv1d.weight", "dt_bias")):
        wide = weight.shape[-1] if weight.ndim == 2 else max(weight.shape[1:])
        embedding = "emb" in name or "wte" in name or "wpe" in name
        weight.copy_(noise * (1.0 if embedding else 1.5 / math.sqrt(wide)))
