"""What transformers' own ``generate`` offers, on a fixed context: here two samples of an answer.

python examples/plain_generate.py
"""

import torch

import squeezed
from bench.models import load_model

DOCUMENT = "Ledger note: of all numbers, calm-otter has 4711042.\n" + "The day is long.\n" * 100
QUESTION = "Which number does the ledger give for calm-otter? By the ledger, of all numbers, calm-otter has"


def main() -> None:
    """Runs the example."""
    model, tokenizer = load_model("mini")
    context_ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer.encode(DOCUMENT)]])
    ctx = squeezed.prepare(model, context_ids)
    method = squeezed.Squeezed(kv_budget=0.3, rule="topk")

    for seed in (0, 1):
        torch.manual_seed(seed)
        question = torch.tensor([tokenizer.encode(QUESTION)])
        full_ids = torch.cat([context_ids, question], dim=1)
        out = model.generate(
            full_ids,
            past_key_values=ctx.cache(
                method
            ),  # a new one for every conversation; they share the keys
            do_sample=True,
            temperature=0.5,
            max_new_tokens=10,
        )
        print(tokenizer.decode(out[0, full_ids.shape[1] :], skip_special_tokens=True).strip())


if __name__ == "__main__":
    main()
