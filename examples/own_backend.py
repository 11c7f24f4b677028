"""Makes a backend known to the kernels, compares it with the specification, and answers a question by it.

python examples/own_backend.py
"""

import torch
from squeezed_kernels import attend_groups, backend

import squeezed
from bench.models import load_model

NAME = "gathered"
DOCUMENT = "Ledger note: of all numbers, calm-otter has 4711042.\n" + "The day is long.\n" * 100
QUESTION = "Which number does the ledger give for calm-otter? By the ledger, of all numbers, calm-otter has"


def main() -> None:
    """Runs the example."""
    # In the suite: two entries in kernels/squeezed_kernels/backend.py, and the module beside it.
    backend.MODULES[NAME] = "gathered_backend"
    backend.HEAD_SIZES[NAME] = (1, 1024)

    torch.manual_seed(0)
    query, keep = torch.randn(1, 4, 3, 16), torch.rand(1, 2, 1, 500) < 0.2
    keys, values = torch.randn(2, 2, 520, 16)
    ours, wanted = (
        attend_groups(query, keys, values, keep, None, 0.25, backend=name)[0]
        for name in (NAME, "reference")
    )
    print(f"largest difference from the reference: {(ours - wanted).abs().max().item():.1e}")

    model, tokenizer = load_model("mini")
    ctx = squeezed.prepare(model, [tokenizer.bos_token_id, *tokenizer.encode(DOCUMENT)])
    method = squeezed.Squeezed(sparsity=0.8, rule="topk")
    out = squeezed.generate(model, ctx, tokenizer.encode(QUESTION), method=method, backend=NAME)
    print(f"answer: {tokenizer.decode(out.sequences[0], skip_special_tokens=True).strip()}")


if __name__ == "__main__":
    main()
