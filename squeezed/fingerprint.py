"""Fingerprints that tell whether a stored index belongs to a model or to a sequence of token ids."""

import hashlib

import torch
from transformers import PreTrainedModel

_SAMPLE = 64  # values of each weight tensor that enter the fingerprint


def of_model(model: PreTrainedModel) -> str:
    """Hash of a model's type, dtype and a sample of every weight tensor.

    Reading all weights would take as long as loading them; evenly spread values of every tensor tell any two
    trainings apart.
    """
    digest = hashlib.sha256()
    digest.update(f"{type(model).__name__} {model.dtype}".encode())
    for name, weight in model.named_parameters():
        flat = weight.detach().flatten()
        sample = flat[:: max(1, len(flat) // _SAMPLE)]
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(sample.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def of_ids(ids: torch.Tensor) -> str:
    """Hash of token ids ``[N]``."""
    return hashlib.sha256(ids.to(torch.int64).cpu().numpy().tobytes()).hexdigest()
