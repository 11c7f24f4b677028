"""A method of your own that looks keys up by a small copy: the signs of their entries, one bit each.

The rules, the size, the accounting of what is read and the exact attention over what is kept come with the
base class. ``python examples/own_sketch.py`` compares it with two others at the same budget.
"""

from dataclasses import dataclass

import squeezed
from bench.models import load_model
from squeezed.index.layer import LayerIndex
from squeezed.methods import Sketch, SketchedMethod, as_it_is


@dataclass(frozen=True)
class Signs(SketchedMethod):
    """Logits from the signs of the keys' entries."""

    def sketch(self, layer: LayerIndex) -> Sketch:
        keys = layer.keys[:, : layer.clustered].to(layer.device)  # [H, M, D]
        return Sketch(keys.sign(), as_it_is)

    def sketch_bytes(self, layer: LayerIndex) -> float:
        return layer.clustered * layer.keys.shape[2] / 8


def main() -> None:
    """Runs the example."""
    model, tokenizer = load_model("mini")
    text = "Ledger note: of all numbers, calm-otter has 4711042.\n" + "The day is long.\n" * 100
    question = "Which number does the ledger give for calm-otter?"
    question += " By the ledger, of all numbers, calm-otter has"
    ctx = squeezed.prepare(model, [tokenizer.bos_token_id, *tokenizer.encode(text)])
    for method in (
        Signs(kv_budget=0.4),
        squeezed.Quest(kv_budget=0.4),
        squeezed.Squeezed(kv_budget=0.4, rule="topk"),
    ):
        out = squeezed.generate(model, ctx, tokenizer.encode(question), method=method)
        answer = tokenizer.decode(out.sequences[0], skip_special_tokens=True).strip()
        read, lookup = out.stats.kv_budget, out.stats.lookup_budget
        print(f"{type(method).__name__}: read {read:.3f}, the lookup {lookup:.3f}, says {answer!r}")


if __name__ == "__main__":
    main()
