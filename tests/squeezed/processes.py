"""Outcomes of settings, one after the other in this process, as JSON: run by ``test_processes``.

The models are shared by the settings, as in a sweep: what one leaves behind, another could find.
"""

import functools
import hashlib
import json
import sys
from typing import Any

import torch
from torch import nn

import squeezed
from tests.squeezed.conftest import random_ids, tiny_llama

LONGEST = 400  # tokens that the dynamic RoPE is the same for, and one more
DYNAMIC = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 8.0}
# By name: model, its active adapters, tokens of the context.
SETTINGS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "dynamic, short": ("dynamic", (), 110),
    "dynamic, nearly as long as it may be": ("dynamic", (), 360),
    "first adapter": ("adapted", ("one",), 150),
    "second adapter": ("adapted", ("two",), 150),
    "both adapters": ("adapted", ("one", "two"), 150),
    "no adapter": ("adapted", (), 150),
}


class Adapter(nn.Module):
    """A linear layer with low-rank adapters, with the states that PEFT's have."""

    def __init__(self, base: nn.Linear, names: tuple[str, ...] = ("one", "two")) -> None:
        super().__init__()
        self.base_layer = base
        self.scaling = dict.fromkeys(names, 0.5)
        self.merged_adapters: list[str] = []
        self._active_adapter, self._disable_adapters = [names[0]], False
        self.lora = nn.ModuleDict(
            {name: nn.Linear(base.in_features, base.out_features, bias=False) for name in names}
        )

    @property
    def active_adapters(self) -> list[str]:
        return self._active_adapter

    @property
    def disable_adapters(self) -> bool:
        return self._disable_adapters

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        out = self.base_layer(hidden)
        for name in () if self._disable_adapters else self._active_adapter:
            out = out + self.scaling[name] * self.lora[name](hidden)
        return out


@functools.cache
def _model(kind: str) -> Any:
    if kind == "dynamic":
        return tiny_llama(layers=2, rope_parameters=DYNAMIC, max_position_embeddings=LONGEST)
    model = tiny_llama(layers=2)
    torch.manual_seed(1)
    for layer in model.model.layers:
        layer.self_attn.k_proj = Adapter(layer.self_attn.k_proj)
    return model.eval()


def outcome(setting: str) -> dict[str, Any]:
    """What a run of a setting gives: the index's identity and content, answers, and what they read."""
    kind, adapters, tokens = SETTINGS[setting]
    model = _model(kind)
    for layer in model.modules():
        if isinstance(layer, Adapter):
            layer._active_adapter, layer._disable_adapters = list(adapters), not adapters
    ctx = squeezed.prepare(model, random_ids(tokens, seed=1), (0.1,), window=20)
    method = squeezed.Squeezed(sparsity=0.5, rule="threshold")
    questions = [random_ids(9, seed=2), random_ids(4, seed=3)]
    out = squeezed.generate(model, ctx, questions, method=method, max_new_tokens=5)
    held = hashlib.sha256()
    for layer in ctx.layers:
        for table in (layer.keys, layer.values, layer.positions, layer.levels[0].offsets):
            held.update(table.numpy().tobytes())
    return {
        "model": ctx.model_fingerprint,
        "index": held.hexdigest(),
        "answers": out.sequences.tolist(),
        "read": list(out.stats.kv_budgets),
    }


if __name__ == "__main__":
    print(json.dumps({setting: outcome(setting) for setting in sys.argv[1:]}))
