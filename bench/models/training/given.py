"""Gives a trained model heads that see the values which its answer has named already, and take them off.

In this order::

    python -m bench.models.training.given --model mini-training --out mini-given
    python -m bench.models.train --resume mini-given --optimizer adamw --lr 5e-4 --lengths any --minutes 30 \\
        --mix records:4,single:2,multivalue:4,multiquery:7,document:3 --embeddings seen --out mini-training

Asked for all values of a key, layer 1 of the embedded model attends to all of them alike, whatever the answer
holds, and copies their mean: the answer repeats itself, and hours of training on answers did not change it.
So every layer gets as many heads again, at first without effect. Those of layer 1 are fitted to attend to the
values in the answer, a quarter each, and else to the first token; what they copy is what the old heads copy,
with the sign turned, so the mean loses what was named. Training goes on from there, for all weights.
"""

import argparse
import copy
import random
import time

import torch
from torch import nn
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaModel,
    apply_rotary_pos_emb,
)

from bench.models.training.data import (
    FAR,
    IGNORE,
    MAX_OTHERS,
    Batch,
    collate,
    draw_sequence,
    sequences_in,
)
from bench.models.training.loss import read
from bench.models.training.optimise import BETAS
from bench.models.training.train import checkpoint

LAYER = 1  # the layer whose heads find the values of a key
VALUES = 1 + MAX_OTHERS  # of a key, as the standard task has
SHORTEST = 96  # context, in tokens
TOKENS = 3000  # of a step


@torch.no_grad()
def widen(model: LlamaForCausalLM) -> LlamaForCausalLM:
    """A model with twice the query and KV heads: copies of the old ones, whose output counts nothing.

    Args:
        model: Llama architecture. It is not changed.

    Returns:
        A model that computes the same.
    """
    config = copy.deepcopy(model.config)
    config.num_attention_heads *= 2
    config.num_key_value_heads *= 2
    wide = LlamaForCausalLM(config)
    weights = model.state_dict()
    for name, new in wide.state_dict().items():
        old = weights[name]
        if "o_proj" in name:
            new.copy_(torch.cat([old, torch.zeros_like(old)], dim=1))
        elif old.shape != new.shape:
            new.copy_(torch.cat([old, old]))
        else:
            new.copy_(old)
    return wide


def draw_batch(
    tokenizer: PreTrainedTokenizerFast, rng: random.Random, lengths: tuple[int, int]
) -> Batch:
    """Contexts of ``lengths`` tokens with questions for all values of a key (see ``collate``)."""
    length = rng.randint(*lengths)
    rows = [
        draw_sequence(tokenizer, rng, "multivalue", length, FAR, 0.0)
        for _ in range(sequences_in(TOKENS, length))
    ]
    return collate(rows, tokenizer.pad_token_id)


def targets(
    tokenizer: PreTrainedTokenizerFast, batch: Batch
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Where the new heads should look, in front of every value of every answer.

    Returns:
        Sequence and place in ``asked`` of ``R`` tokens, int64 ``[R]`` each, and the share of attention that
        each token of context and questions should have, float32 ``[R, N + L]``: ``1 / VALUES`` for the first
        token of every value that this answer has named, the rest for the first token of all.
    """
    blank = tokenizer.convert_tokens_to_ids("Ġ")
    groups = torch.tensor(
        [
            token.isdigit() and len(token) == 3
            for token in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
        ]
    )
    asked, labels, segments = batch["asked"], batch["labels"], batch["segments"]
    before = (asked == blank) & (labels != IGNORE) & groups[labels.clamp(min=0)]
    sequence, place = before.nonzero(as_tuple=True)
    earlier = torch.arange(asked.shape[1]) < place[:, None]
    same = segments[sequence] == segments[sequence, place][:, None]
    named = (before[sequence] & earlier & same).roll(1, dims=1).float() / VALUES
    share = torch.cat([torch.zeros(len(place), batch["context"].shape[1]), named], dim=1)
    share[:, 0] = 1 - share.sum(-1)
    return sequence, place, share


def layer_inputs(model: LlamaModel, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Normed inputs ``[B, N + L, hidden]`` of ``LAYER``, and positions ``[B, N + L]``."""
    seen: list[torch.Tensor] = []
    norm = model.layers[LAYER].input_layernorm
    hook = norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        read(model, batch)
    hook.remove()
    positions = torch.cat([batch["context_positions"], batch["positions"]], dim=1)
    return torch.cat(seen, dim=1), positions


def log_attention(
    queries: torch.Tensor,
    keys: torch.Tensor,
    rotary: tuple[torch.Tensor, torch.Tensor],
    mask: torch.Tensor,
    sequence: torch.Tensor,
    place: torch.Tensor,
) -> torch.Tensor:
    """Logarithms of attention weights ``[R, H, T]`` of the tokens at ``place`` (counted in all ``T``).

    Args:
        queries: ``[B, T, H, D]``. keys: ``[B, T, G, D]``, ``G`` a divisor of ``H``. mask: bool ``[R, T]``.
    """
    turned, keys = apply_rotary_pos_emb(queries.transpose(1, 2), keys.transpose(1, 2), *rotary)
    chosen = turned[sequence, :, place]
    keys = keys.repeat_interleave(chosen.shape[1] // keys.shape[1], dim=1)[sequence]
    scores = torch.einsum("rhd,rhtd->rht", chosen, keys) * chosen.shape[-1] ** -0.5
    return scores.masked_fill(~mask[:, None], -1e30).log_softmax(-1)


def divergence(
    model: LlamaForCausalLM,
    batch: Batch,
    wanted: tuple[torch.Tensor, ...],
    heads: list[nn.Parameter],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean Kullback-Leibler divergence of the new heads' attention from the wanted one, in nats.

    Args:
        wanted: from ``targets``. heads: query and key weights ``[heads x head_dim, hidden]``.

    Returns:
        The divergence, and the input of the first token of all, ``[hidden]``.
    """
    sequence, place, share = wanted
    inputs, positions = layer_inputs(model.model, batch)
    size = model.config.head_dim
    queries, keys = ((inputs @ weight.T).unflatten(-1, (-1, size)) for weight in heads)
    rotary = model.model.rotary_emb(inputs, positions)
    mask = batch["mask"][sequence, 0, place]
    seen = place + batch["context"].shape[1]
    logs = log_attention(queries, keys, rotary, mask, sequence, seen).clamp(min=-60)
    share = share[:, None]
    return (torch.xlogy(share, share) - share * logs).sum(-1).mean(), inputs[0, 0]


def fit(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, args: argparse.Namespace
) -> None:
    """Fits queries and keys of the new heads of ``LAYER``, then lets them take off what they see.

    Args:
        model: from ``widen``, without gradients; changed in place. args: see ``main``.
    """
    rng = random.Random(args.seed)
    attention = model.model.layers[LAYER].self_attn
    noise = torch.Generator().manual_seed(args.seed)
    heads = []
    for projection in (attention.q_proj, attention.k_proj):
        copies = projection.weight.detach().chunk(2)[1]
        # Copies of the old heads would stay copies without some noise.
        heads.append(nn.Parameter(copies + 0.01 * torch.randn(copies.shape, generator=noise)))
    optimizer = torch.optim.AdamW(heads, lr=args.rate, betas=BETAS, weight_decay=0.0)
    begun = time.time()
    for step in range(args.steps):
        batch = draw_batch(tokenizer, rng, (SHORTEST, args.longest))
        loss, first = divergence(model, batch, targets(tokenizer, batch), heads)
        loss.backward()
        nn.utils.clip_grad_norm_(heads, 1.0)
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1.0, (step + 1) / 50, 2 * (1 - step / args.steps))
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 50 == 0:
            used = time.time() - begun
            print(f"step {step + 1} {used:.0f}s divergence {loss.item():.3f}", flush=True)
    take_off(attention, heads, first)


@torch.no_grad()
def take_off(attention: LlamaAttention, heads: list[nn.Parameter], first: torch.Tensor) -> None:
    """Puts the fitted heads in place: they write what the old heads write, with the sign turned.

    Args:
        first: what the layer sees of the first token of all. A head looks there when it finds nothing, so
            nothing is copied from it.
    """
    for projection, weight in zip((attention.q_proj, attention.k_proj), heads, strict=True):
        projection.weight[-len(weight) :] = weight
    first = nn.functional.normalize(first, dim=0)
    values = attention.v_proj.weight.chunk(2)[1]
    values -= torch.outer(values @ first, first)
    old, new = attention.o_proj.weight.chunk(2, dim=1)
    new.copy_(-old)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", type=checkpoint, required=True, help="folder of the trained model"
    )
    parser.add_argument("--out", default="mini-given", help="folder to write (mini-given)")
    parser.add_argument("--steps", type=int, default=1000, help="steps of fitting (1000)")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate (0.002)")
    parser.add_argument("--longest", type=int, default=400, help="longest context (400)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = widen(LlamaForCausalLM.from_pretrained(args.model)).requires_grad_(False)
    fit(model, tokenizer, args)
    model.save_pretrained(args.out)
    tokenizer.save_pretrained(args.out)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
