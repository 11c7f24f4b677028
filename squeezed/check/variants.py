"""What is tried on each type: its default, its RoPE types, a low precision."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from squeezed.check.exactness import Plan, check, check_low
from squeezed.check.of_config import layers_of
from squeezed.check.tiny import VOCABULARY, tiny_config, tiny_model
from squeezed.check.verdict import UNBUILDABLE, Verdict
from squeezed.model import families

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedConfig

DEFAULT, LOW = "default", "bf16"
ORIGINAL = (
    100  # positions before a RoPE type changes: inside the context, so that all is on one side
)
MOST = (
    256  # positions that a dynamic RoPE is the same for: more than is tried; beyond, it is refused
)
ROPES: dict[str, dict[str, Any]] = {
    "linear": {"factor": 2.0},
    "dynamic": {"factor": 2.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": ORIGINAL},
    "longrope": {"factor": 3.0, "original_max_position_embeddings": ORIGINAL},
    "llama3": {
        "factor": 4.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": ORIGINAL,
    },
}
VARIANTS = (DEFAULT, *ROPES, LOW)


def judge(model_type: str, variant: str = DEFAULT) -> Verdict:
    """The verdict on a tiny random model of a type.

    Args:
        variant: one of ``VARIANTS``. A type that has no RoPE, or not this one, is said to be not built.
    """
    warnings.simplefilter("ignore")
    try:
        config = tiny_config(model_type)
        if variant in ROPES:
            set_rope(config, variant)
        model = tiny_model(config)
    except Exception as error:
        return Verdict(UNBUILDABLE, " ".join(str(error).split())[:200])
    plan = Plan(vocabulary=VOCABULARY)
    low = variant == LOW
    verdict = check_low(model, plan, torch.bfloat16) if low else check(model, plan)
    return replace(verdict, layers=layers_of(config))


def set_rope(config: PreTrainedConfig, rope_type: str) -> None:
    """Gives a configuration another RoPE type.

    Raises:
        ValueError: it has no RoPE.
    """
    text = families.text_config_of(config)
    given = getattr(text, "rope_parameters", None)
    if not given:
        raise ValueError("it has no RoPE")
    nested = all(isinstance(each, dict) for each in given.values())
    new = {
        name: _rope(text, each, rope_type) if nested else each
        for name, each in (given.items() if nested else {"": given}.items())
    }
    if rope_type == "dynamic":  # which changes beyond the positions that the model is made for
        text.max_position_embeddings = MOST
    text.rope_parameters = new if nested else _rope(text, given, rope_type)


def _rope(config: PreTrainedConfig, given: dict[str, Any], rope_type: str) -> dict[str, Any]:
    new = {**given, **ROPES[rope_type], "rope_type": rope_type}
    if rope_type == "longrope":
        size = getattr(config, "qk_rope_head_dim", None) or getattr(config, "head_dim", None)
        size = size or config.hidden_size // config.num_attention_heads
        half = int(size * given.get("partial_rotary_factor", 1.0)) // 2
        new |= {"short_factor": [1.0] * half, "long_factor": [1.0 + i for i in range(half)]}
    return new
