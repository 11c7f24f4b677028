"""Initial weights near an induction circuit, which a model this small otherwise finds late or never.

Layer 0 looks n tokens back and notes what stood there; layer 1 looks for places whose notes match the tokens
before the current one and copies what stands there (Olsson et al., arXiv 2209.11895; the idea of starting
attention from structured weights: arXiv 2305.09828). All weights are trained from there on.
"""

import torch
from torch.nn import functional
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention


@torch.no_grad()
def initialise(model: LlamaForCausalLM) -> None:
    """Overwrites the random weights of embeddings and of the first two layers' attention.

    Args:
        model: at least two layers, two or more query heads.
    """
    embeddings = model.model.embed_tokens.weight
    hidden = embeddings.shape[1]
    shared = functional.normalize(torch.randn(hidden), dim=0)
    embeddings -= torch.outer(embeddings @ shared, shared)  # the same amount of it in every token
    embeddings += 0.5 * shared
    for layer in model.model.layers:
        # Small beside the embeddings (norm 1), or the first layers would drown them.
        layer.self_attn.o_proj.weight.mul_(0.1)
        layer.mlp.down_proj.weight.mul_(0.1)
    theta = model.config.rope_parameters["rope_theta"]
    first, second = (layer.self_attn for layer in model.model.layers[:2])
    look_back(first, shared, theta)
    content, notes = orthonormal(hidden), orthonormal(hidden)
    write_notes(first, content, notes)
    match_notes(second, content, notes, theta)


def orthonormal(size: int) -> torch.Tensor:
    """A random orthonormal basis ``[size, size]``."""
    return torch.linalg.qr(torch.randn(size, size)).Q


def look_back(attention: LlamaAttention, shared: torch.Tensor, theta: float) -> None:
    """Head n attends n + 1 tokens back.

    Every key is the same vector (from the direction that all embeddings share, as this architecture has no
    attention bias); query head n is that vector turned back by n + 1 positions, so RoPE makes their product
    largest at that distance.
    """
    half = attention.head_dim // 2
    frequencies = theta ** (-torch.arange(half) / half)
    fast = (frequencies > 0.05).float() * 2.0  # slow ones cannot tell neighbours apart
    keys, queries = heads(attention.k_proj, attention), heads(attention.q_proj, attention)
    keys.mul_(0.1)[:, :half].add_(fast[None, :, None] * shared)
    queries.mul_(0.1)
    for head in range(len(queries)):
        angle = -frequencies * (head + 1)
        turned = torch.cat([fast * angle.cos(), fast * angle.sin()])
        queries[head] += turned[:, None] * shared


def write_notes(attention: LlamaAttention, content: torch.Tensor, notes: torch.Tensor) -> None:
    """Head n writes the content it sees (``head_dim`` directions of it) into directions of its own."""
    size = attention.head_dim
    heads(attention.v_proj, attention).copy_(content[:size])
    for head in range(notes.shape[0] // size):
        columns = slice(head * size, (head + 1) * size)
        attention.o_proj.weight[:, columns] = 0.15 * notes[:, columns]


def match_notes(
    attention: LlamaAttention, content: torch.Tensor, notes: torch.Tensor, theta: float
) -> None:
    """KV head 0 matches the current token with notes of one token back; KV head g > 0 matches notes of g
    tokens back with notes of g + 1 tokens back. All copy the content found."""
    size, half = attention.head_dim, attention.head_dim // 2
    frequencies = theta ** (-torch.arange(half) / half)
    slow = (frequencies < 0.01).float().repeat(2)[:, None] * 2.0
    keys, queries = heads(attention.k_proj, attention), heads(attention.q_proj, attention)
    values = heads(attention.v_proj, attention)
    group = len(queries) // len(keys)
    for head in range(len(keys)):
        sought = content[:size] if head == 0 else notes[:, (head - 1) * size : head * size].T
        keys[head] = 0.1 * keys[head] + slow * notes[:, head * size : (head + 1) * size].T
        copied = content[head * size : (head + 1) * size]
        values[head] = copied
        for query in range(head * group, (head + 1) * group):
            queries[query] = 0.1 * queries[query] + slow * sought
            attention.o_proj.weight[:, query * size : (query + 1) * size] = 0.2 * copied.T


def heads(projection: torch.nn.Linear, attention: LlamaAttention) -> torch.Tensor:
    """A projection's weight by head, ``[heads, head_dim, hidden]``, sharing memory with it."""
    return projection.weight.view(-1, attention.head_dim, projection.in_features)
