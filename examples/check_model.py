"""Whether the engine reproduces a model exactly: full attention through it against the model on its own.

python examples/check_model.py                       # the embedded model
python examples/check_model.py --model FOLDER_OR_HUB_ID

It tries one length of the fixed context, and lengths around every limit that the model's configuration names
(sliding window, chunks, positions trained on), so that a question, or an answer, goes across it. Before
weights are loaded, ``python -m squeezed check FOLDER`` says what the configuration alone tells.
"""

import argparse

from bench.models import load_model
from squeezed.check.exactness import Plan, check
from squeezed.check.of_config import limits, report
from squeezed.check.verdict import EXACT
from squeezed.model.families import text_config

QUESTIONS = (12, 30)  # lengths of the questions, in tokens
NEW = 6  # tokens of an answer


def lengths(tokens: int, named: dict[str, int], most: int) -> dict[int, str]:
    """Lengths of the fixed context to try, and why: the one asked for, and some around each limit.

    A context that ends 6 tokens before a limit has the question go across it; 15 tokens before, the answer;
    one token behind it, the context itself.
    """
    found = {tokens: "as asked"}
    for name, limit in named.items():
        for length in (limit - QUESTIONS[0] - NEW // 2, limit - 6, limit + 1):
            if 0 < length <= most:
                found.setdefault(length, f"{name} is {limit}")
    return found


def main(arguments: list[str] | None = None) -> None:
    """Runs the example; ends with exit code 1 if the model is not reproduced."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="folder or hub id; default: the embedded model")
    parser.add_argument("--tokens", type=int, default=600, help="length of the fixed context")
    parser.add_argument("--most", type=int, default=5000, help="longest context around a limit")
    asked = parser.parse_args(arguments)

    model, _ = load_model("hf" if asked.model else "mini", path=asked.model, dtype="float32")
    own = text_config(model)._attn_implementation
    print(report(model.config).text())
    size = model.get_input_embeddings().num_embeddings
    wrong = False
    for tokens, why in lengths(asked.tokens, limits(model.config), asked.most).items():
        window = min(100, tokens - 1)
        chunk = max(1, tokens // 3)
        plan = Plan(
            tokens, QUESTIONS, window, chunk, NEW, first=min(100, size // 2), vocabulary=size
        )
        verdict = check(model, plan)
        print(f"{tokens} tokens ({why}): {verdict.line()}", flush=True)
        wrong |= verdict.outcome != EXACT
        model.set_attn_implementation(own)  # the next measure is the model's own pass again
    if wrong:
        raise SystemExit("the engine does not reproduce this model at every length")


if __name__ == "__main__":
    main()
