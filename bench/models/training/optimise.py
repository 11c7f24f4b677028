"""The optimizers of the embedded model's training, and one step of them."""

import argparse

import torch
from torch import nn
from transformers import LlamaForCausalLM

from bench.models.training.data import Batch
from bench.models.training.loss import loss_and_accuracy

BETAS = (0.9, 0.98)


def make_optimizers(
    model: LlamaForCausalLM, args: argparse.Namespace
) -> list[torch.optim.Optimizer]:
    """Optimizers for all weights that are trained.

    Args:
        args: ``optimizer`` of the matrices inside the layers, ``muon`` or ``adamw``; norms have AdamW.
            ``embeddings``: ``all``, AdamW; ``seen``, only those of the batch's own tokens change, because
            AdamW makes the tiny gradients of all others as large, and rare tokens can then no longer be
            copied; ``none``.
    """
    embeddings = model.model.embed_tokens.weight
    inside: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for weight in model.parameters():
        if weight is not embeddings or args.embeddings == "all":
            matrix = weight.ndim == 2 and weight is not embeddings
            (inside if matrix and args.optimizer == "muon" else rest).append(weight)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(rest, lr=args.lr, betas=BETAS, weight_decay=0.0)
    ]
    if inside:
        muon = torch.optim.Muon(inside, lr=args.muon_lr, weight_decay=0.0, momentum=0.95)
        optimizers.append(muon)
    if args.embeddings == "seen":
        optimizers.append(torch.optim.SparseAdam([embeddings], lr=2 * args.lr, betas=BETAS))
    embeddings.requires_grad_(args.embeddings != "none")
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
    return optimizers


def step_once(
    model: LlamaForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    batch: Batch,
    rate: float,
    args: argparse.Namespace,
) -> tuple[float, float]:
    """One step at ``rate`` times the initial learning rates; returns loss and accuracy."""
    batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
    with torch.autocast(model.device.type, torch.bfloat16, enabled=args.bf16):
        loss, accuracy = loss_and_accuracy(model, batch)
    loss.backward()
    embeddings = model.model.embed_tokens.weight
    clipped = [w for w in model.parameters() if args.embeddings != "seen" or w is not embeddings]
    nn.utils.clip_grad_norm_(clipped, 1.0)
    if args.embeddings == "seen":
        embeddings.grad = seen_rows(embeddings.grad, batch)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate
        optimizer.step()
        optimizer.zero_grad()
    return loss.item(), accuracy


def seen_rows(gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """The gradient ``[vocabulary, hidden]`` of the batch's own tokens, sparse."""
    tokens = [batch[name].flatten() for name in ("context", "asked", "labels")]
    rows = torch.cat(tokens).unique()
    rows = rows[rows >= 0]
    return torch.sparse_coo_tensor(
        rows[None], gradient[rows], gradient.shape, check_invariants=False
    )
