"""Whether the engine reproduces a model exactly: full attention through it against the model on its own.

python examples/check_model.py                       # the embedded model
python examples/check_model.py --model FOLDER_OR_HUB_ID
"""

import argparse

import torch

import squeezed
from bench.models import load_model

TOLERANCE = 1e-4  # largest difference of logits, in float32


@torch.inference_mode()
def main(arguments: list[str] | None = None) -> None:
    """Runs the example; ends with exit code 1 if the model is not reproduced."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="folder or hub id; default: the embedded model")
    parser.add_argument("--tokens", type=int, default=600, help="length of the fixed context")
    asked = parser.parse_args(arguments)
    model, _ = load_model("hf" if asked.model else "mini", path=asked.model, dtype="float32")
    size = model.get_input_embeddings().num_embeddings
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(min(100, size // 2), size, (1, asked.tokens + 12), generator=draw)
    ids = ids.to(model.device)
    context, question = ids[:, : asked.tokens], ids[:, asked.tokens :]

    wanted = model(ids).logits[0, asked.tokens :]  # before the engine is switched on
    ctx = squeezed.prepare(
        model, context
    )  # UnsupportedModelError says what cannot be served, and why
    everything = squeezed.Squeezed(sparsity=0.0)
    worst = max(
        (model(question, past_key_values=ctx.cache(method)).logits[0] - wanted).abs().max().item()
        for method in (squeezed.Full(), everything)
    )
    indexed, local = len(ctx.layers), len(ctx.local)
    print(f"{indexed} layers with an index, {local} with a sliding window")
    print(f"largest difference of logits: {worst:.1e} (tolerance {TOLERANCE:.0e})")
    if worst > TOLERANCE:
        raise SystemExit("the engine does not reproduce this model")


if __name__ == "__main__":
    main()
