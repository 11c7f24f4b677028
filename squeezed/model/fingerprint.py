"""Fingerprints that tell whether a stored index belongs to a model or to a sequence of token ids."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch
from transformers import PreTrainedConfig

from squeezed.errors import IndexMismatchError
from squeezed.model import adapters, rope, weights

if TYPE_CHECKING:  # the package's types would load all of its modelling code
    from transformers import PreTrainedModel

# Of a configuration: what all models have, and what is about training, generation or tasks, not about keys.
_BESIDE = PreTrainedConfig().to_dict().keys() | {
    *("use_cache", "initializer_range", "tie_word_embeddings", "pretraining_tp"),
}
_BESIDE_ENDINGS = ("_token_id", "dropout", "_pdrop")


@torch.no_grad()
def of_model(model: PreTrainedModel) -> str:
    """Hash of all that makes a model's keys: type, dtype, settings, a sample of every weight, adapters.

    Settings: the same weights make other keys where their RoPE, say, differs. A sample: reading all weights
    would take as long as loading them; evenly spread values of every tensor tell any two trainings apart.
    Weights are parameters, and whatever else a checkpoint would hold: buffers, quantised and packed tensors.
    Adapters: which are on, how strongly, which are merged. A RoPE that depends on the length: that one length
    is held; earlier versions of the suite rotated by chunks, or by what ran before, and what they stored is
    refused.
    """
    digest = hashlib.sha256()
    digest.update(f"{type(model).__name__} {model.dtype}".encode())
    digest.update(json.dumps(_settings(model.config), sort_keys=True, default=str).encode())
    switch = rope.switch_of(model.config.get_text_config())
    if switch is not None:
        digest.update(f"{switch.kind} at one length".encode())
    _add_weights(digest, model)
    return digest.hexdigest()


@torch.no_grad()
def of_weights(model: PreTrainedModel) -> str:
    """Hash of a sample of every weight, and of adapters, as ``of_model`` has it.

    It stays the same whatever a later library makes of the same configuration.
    """
    digest = hashlib.sha256()
    _add_weights(digest, model)
    return digest.hexdigest()


def _add_weights(digest: hashlib._Hash, model: PreTrainedModel) -> None:
    for name, weight in model.named_parameters():
        for part, tensor in weights.parts(name, weight):
            _add(
                digest,
                part,
                tensor if tensor.device.type != "meta" else weights.offloaded(model, part),
            )
    for name, tensor in weights.beside_parameters(model):
        _add(digest, name, tensor)
    for state in adapters.states(model):
        digest.update(json.dumps(state, sort_keys=True).encode())


def _add(digest: hashlib._Hash, name: str, tensor: torch.Tensor) -> None:
    digest.update(f"{name} {tuple(tensor.shape)}".encode())
    digest.update(weights.sample(tensor))


def _settings(config: PreTrainedConfig) -> dict[str, Any]:
    """What a configuration says about the architecture. Not what is off, so that a later transformers, which
    knows more that can be off, reads the same; keys that begin with an underscore are transformers' own."""
    return {
        key: value
        for key, value in config.get_text_config().to_dict().items()
        if value
        and key not in _BESIDE
        and not key.startswith("_")
        and not key.endswith(_BESIDE_ENDINGS)
    }


def require_model(model: PreTrainedModel, wanted: str) -> None:
    """Raises ``IndexMismatchError`` unless the model has the fingerprint that a context was prepared with."""
    if of_model(model) != wanted:
        raise IndexMismatchError(
            "the fixed context was prepared with another model than the one given"
        )


def of_ids(ids: torch.Tensor) -> str:
    """Hash of token ids ``[N]``."""
    return hashlib.sha256(ids.to(torch.int64).cpu().numpy().tobytes()).hexdigest()
