"""Ask a document of your own: prefill and cluster it once, keep the index, ask as often as you like.

python examples/ask_a_document.py                          # the embedded model, on a text that it can read
python examples/ask_a_document.py --model MODEL --document FILE.txt --question "..." --sparsity 0.9
"""

import argparse
from pathlib import Path

import squeezed
from bench.models import load_model
from rows.frame import make_frame

LEDGER = "Ledger note: of all numbers, calm-otter has 4711042.\n" + "The day is long.\n" * 200
QUESTION = "Which number does the ledger give for calm-otter? By the ledger, of all numbers, calm-otter has"


def main(arguments: list[str] | None = None) -> None:
    """Runs the example."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="folder or hub id; default: the embedded model")
    parser.add_argument("--document", type=Path, help="text file; default: a short ledger")
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument(
        "--sparsity", type=float, default=0.9, help="share of the keys to leave out"
    )
    parser.add_argument(
        "--index", type=Path, default=Path("ledger-index"), help="folder to keep it in"
    )
    asked = parser.parse_args(arguments)

    model, tokenizer = load_model("hf" if asked.model else "mini", path=asked.model)
    text = asked.document.read_text(encoding="utf-8") if asked.document else LEDGER
    frame = make_frame(tokenizer)  # what this tokenizer puts in front of a text
    head, ids = frame.fixed_ids(tokenizer, text)
    context_ids = [*head, *ids]
    question_ids = frame.user_ids(tokenizer, asked.question, "", context=text)

    if asked.index.exists():  # made by an earlier call, maybe in another process
        ctx = squeezed.FixedContext.load(asked.index, model=model)
    else:
        ctx = squeezed.prepare(model, context_ids, levels=(0.01, 0.05))
        ctx.save(asked.index)
    if ctx.ids.tolist() != context_ids:
        raise SystemExit(f"{asked.index} is the index of another text; give another --index")

    method = squeezed.Squeezed(sparsity=asked.sparsity, rule="topk")
    out = squeezed.generate(model, ctx, question_ids, method=method, max_new_tokens=16)
    print(f"answer: {tokenizer.decode(out.sequences[0], skip_special_tokens=True).strip()}")
    print(f"read {out.stats.kv_budget:.1%} of the {ctx.tokens} tokens' keys and values,")
    print(f"of which {out.stats.lookup_budget:.1%} to find out what to read")


if __name__ == "__main__":
    main()
