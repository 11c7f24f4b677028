"""A method of your own: keep the keys with the smallest norm (after Devoto et al., arXiv 2406.11430).

It looks at no question, so it is a static choice; the size, the window and the accounting come with the
base class. ``python examples/own_method.py`` compares it with two others.
"""

from dataclasses import dataclass

import squeezed
from bench.models import load_model
from squeezed.methods import BudgetedMethod, Context, Selector, Size, Static, best_rows


@dataclass(frozen=True)
class SmallKeys(BudgetedMethod):
    """Keeps the rows whose keys have the smallest norm.

    Attributes:
        largest: keep those with the largest norm instead, to see that the sign matters.
    """

    largest: bool = False

    def selector(self, context: Context, number: int, size: Size, backend: str) -> Selector:
        layer = context.layers[number]
        norms = layer.keys[:, : layer.clustered].float().norm(dim=-1).to(layer.device)  # [H, M]
        return Static(best_rows(norms if self.largest else -norms, size.row_count(layer)))


def main() -> None:
    """Runs the example."""
    model, tokenizer = load_model("mini")
    text = "Ledger note: of all numbers, calm-otter has 4711042.\n" + "The day is long.\n" * 100
    question = "Which number does the ledger give for calm-otter?"
    question += " By the ledger, of all numbers, calm-otter has"
    ctx = squeezed.prepare(model, [tokenizer.bos_token_id, *tokenizer.encode(text)])
    for method in (
        SmallKeys(sparsity=0.7),
        SmallKeys(sparsity=0.7, largest=True),
        squeezed.Squeezed(sparsity=0.7, rule="topk"),
    ):
        out = squeezed.generate(model, ctx, tokenizer.encode(question), method=method)
        answer = tokenizer.decode(out.sequences[0], skip_special_tokens=True).strip()
        print(f"{method}\n    read {out.stats.kv_budget:.3f}, says {answer!r}")


if __name__ == "__main__":
    main()
