"""How the embedded model reads a training batch, and the loss of its answers."""

import torch
from torch.nn import functional
from transformers import DynamicCache, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaModel

from bench.models.training.data import IGNORE, Batch

CHOICE_WEIGHT = 3.0  # in the loss, of the few tokens that choose between the values of a key


def read(model: LlamaModel, batch: Batch) -> torch.Tensor:
    """Last hidden states ``[B, L, hidden]`` of a batch's questions (see ``collate``), after its contexts."""
    cache = DynamicCache()
    model(
        input_ids=batch["context"],
        position_ids=batch["context_positions"],
        # Says that positions that jump are no packing.
        attention_mask=torch.ones_like(batch["context"]),
        past_key_values=cache,
    )
    return model(
        input_ids=batch["asked"],
        position_ids=batch["positions"],
        attention_mask=batch["mask"],
        past_key_values=cache,
    ).last_hidden_state


def loss_and_accuracy(model: LlamaForCausalLM, batch: Batch) -> tuple[torch.Tensor, float]:
    """Cross entropy and teacher-forced accuracy on the answer tokens of a batch (see ``collate``)."""
    hidden = read(model.model, batch)
    answered = batch["labels"] != IGNORE
    logits = functional.linear(hidden[answered], model.lm_head.weight).float()
    # Any of several targets is right: the loss is of their probability together.
    targets = torch.cat(
        [batch["labels"][answered].unsqueeze(-1), batch["others"][answered]], dim=-1
    )
    valid = targets != IGNORE
    chosen = logits.log_softmax(-1).gather(-1, targets.clamp(min=0)).masked_fill(~valid, -torch.inf)
    right = (logits.argmax(-1, keepdim=True) == targets).any(-1)
    weight = torch.where(valid.sum(-1) > 1, CHOICE_WEIGHT, 1.0)
    loss = -(chosen.logsumexp(-1) * weight).sum() / weight.sum()
    return loss, right.float().mean().item()
