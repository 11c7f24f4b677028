"""What single types need besides the table of sizes, to be built small."""

from typing import Any

FULL, SLIDING, LINEAR = "full_attention", "sliding_attention", "linear_attention"
DROPPED = "dropped"  # a setting that a type must not be given
AS_IS = "as is"  # what holds parts that are given without being made small
_ROTARY = {"rotary_dim": 8}
_PER_LAYER_INPUT = {"vocab_size_per_layer_input": 128, "hidden_size_per_layer_input": 16}
_GEMMA4 = {
    **_PER_LAYER_INPUT,
    "num_hidden_layers": 4,
    "layer_types": [SLIDING, FULL, SLIDING, FULL],
    "num_kv_shared_layers": 2,
    "global_head_dim": 32,
}
_GEMMA3N = {
    **_PER_LAYER_INPUT,
    "num_hidden_layers": 4,
    "layer_types": [SLIDING, FULL, SLIDING, FULL],
    "num_kv_shared_layers": 2,
    "laurel_rank": 8,
    "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0],
}
_MAMBA_LAYERS = {"num_hidden_layers": 4}
_QWEN4 = {
    "indexer_n_heads": 4,
    "indexer_kv_heads": 1,
    "indexer_head_dim": 16,
    "indexer_budget": 512,
    "indexer_compress_ratio": 4,
    "hc_lowrank": 16,
    "ngram_vocab_size_base": 200,
}
_DOTS3 = {
    "swa_num_attention_heads": 4,
    "swa_num_key_value_heads": 4,
    "swa_q_lora_rank": 24,
    "swa_kv_lora_rank": 16,
    "swa_head_dim": 24,
    "swa_qk_nope_head_dim": 16,
    "swa_v_head_dim": 12,
    "shared_experts_intermediate_size": 32,
}

# Types of which there is no model to try.
_DRAFTS = "it drafts for another model, whose keys and values it attends to"
ABSENT = {"gemma4_assistant": _DRAFTS, "gemma4_unified_assistant": _DRAFTS}

# Settings by model type; a sub-configuration's name holds its own.
CHANGES: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1, 3], **_MAMBA_LAYERS},
    "bailing_hybrid": {"linear_num_key_heads": 4},
    "codegen": _ROTARY,
    "cohere_compass_text": {
        "rope_parameters": {FULL: {"rope_type": "default", "rope_theta": 10000.0}}
    },
    "dbrx": {
        AS_IS: {
            "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
            "ffn_config": {"ffn_hidden_size": 64, "moe_num_experts": 4, "moe_top_k": 2},
        }
    },
    "dots3_note_text": _DOTS3,
    "dots3_note": {
        "text_config": _DOTS3,
        "audio_config": {"adapter_input_size": 64, "adapter_output_size": 64},
        "vision_config": {"adapter_in_dim": 64, "adapter_out_dim": 64},
    },
    "gemma3n_text": _GEMMA3N,
    "gemma3n": {"text_config": _GEMMA3N},
    "gemma4_text": _GEMMA4,
    "gemma4": {"text_config": _GEMMA4},
    "gpt_neo": {
        "num_hidden_layers": 4,
        "attention_types": [[["global", "local"], 2]],
        "window_size": 24,
    },
    "gptj": _ROTARY,
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, **_MAMBA_LAYERS},
    "kimi_linear": {"linear_head_dim": 16, "linear_num_heads": 4},
    "lfm2_moe": {"num_hidden_layers": 4, "layer_types": ["conv", FULL, "conv", FULL]},
    "lfm2": {"num_hidden_layers": 4, "layer_types": ["conv", FULL, "conv", FULL]},
    "longcat_flash": {"head_dim": 8, "zero_expert_num": 2},
    "granitemoehybrid": {"num_hidden_layers": 4, "layer_types": [LINEAR, FULL, LINEAR, FULL]},
    "nemotron_h": {
        "num_hidden_layers": 4,
        "layer_types": [LINEAR, "moe", FULL, "mlp"],
        "mamba_num_heads": 8,
        "moe_latent_size": None,
    },
    "prophetnet": {
        "num_hidden_layers": DROPPED,
        "num_encoder_layers": 2,
        "num_decoder_layers": 2,
        "num_encoder_attention_heads": 4,
        "num_decoder_attention_heads": 4,
        "ngram": 2,
    },
    "qwen4_exp_text": _QWEN4,
    "qwen4_exp": {"text_config": _QWEN4},
    "recurrent_gemma": {"num_hidden_layers": 3, "attention_window_size": 24},
    "mamba2": {"num_heads": 8, "head_dim": 16},
    "reformer": {"is_decoder": True, "axial_pos_embds": False},
    "roc_bert": {"enable_pronunciation": False, "enable_shape": False, "concat_input": False},
    "xlnet": {"d_head": 16, "d_inner": 64, "untie_r": True},
    "xmod": {"default_language": "en_XX"},
    "zamba2": {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
        "num_mem_blocks": 1,
        "n_mamba_heads": 8,
    },
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 16},
    **{name: {"is_decoder": True} for name in ("bert", "bert-generation", "big_bird", "camembert")},
    **{
        name: {"is_decoder": True}
        for name in ("data2vec-text", "electra", "ernie", "megatron-bert")
    },
    **{name: {"is_decoder": True} for name in ("rembert", "roberta", "roberta-prelayernorm")},
    **{name: {"is_decoder": True} for name in ("roformer", "xlm-roberta", "xlm-roberta-xl")},
}
CHANGES["big_bird"]["attention_type"] = "original_full"
CHANGES["roc_bert"]["is_decoder"] = True
CHANGES["xmod"]["is_decoder"] = True
