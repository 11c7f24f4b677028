"""All methods at one KV budget on one document: what each really read, and how many answers it got right.

python examples/compare_methods.py
"""

import squeezed
from bench.models import load_model

BUDGET = 0.25
NAMES = ("calm-otter", "brave-heron", "quiet-maple", "amber-comet")
FILLER = "The day is long. The road goes on and on.\n" * 12


def main() -> None:
    """Runs the example."""
    model, tokenizer = load_model("mini")
    numbers = {name: str(4711042 + 13371 * place) for place, name in enumerate(NAMES)}
    notes = [f"Ledger note: of all numbers, {name} has {numbers[name]}.\n" for name in NAMES]
    text = FILLER.join(["", *notes, ""])
    # Some methods need statistics of the prefill; all of them are collected in one pass.
    needs = (name for method in squeezed.METHODS.values() for name in method.needs)
    ctx = squeezed.prepare(
        model,
        [tokenizer.bos_token_id, *tokenizer.encode(text)],
        statistics=squeezed.statistics_for(needs),
    )
    questions = [
        tokenizer.encode(
            f"Which number does the ledger give for {name}? By the ledger, of all numbers, {name} has"
        )
        for name in NAMES
    ]
    print(f"{ctx.tokens} tokens, asked for a KV budget of {BUDGET}")
    for name, kind in sorted(squeezed.METHODS.items()):
        method = kind() if name == "full" else kind(kv_budget=BUDGET)
        try:  # all questions are answered as a batch
            out = squeezed.generate(model, ctx, questions, method=method, max_new_tokens=12)
        except squeezed.BudgetError as error:  # what it always reads is more than that
            print(f"{name:<18} refused: {str(error).rpartition('; ')[2]}")
            continue
        answers = tokenizer.batch_decode(out.sequences, skip_special_tokens=True)
        right = sum(numbers[each] in answer for each, answer in zip(NAMES, answers, strict=True))
        print(f"{name:<18} read {out.stats.kv_budget:.3f}  right {right} of {len(NAMES)}")


if __name__ == "__main__":
    main()
