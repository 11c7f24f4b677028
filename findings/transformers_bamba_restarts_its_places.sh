#!/usr/bin/env bash
# Title: in transformers 5.23, Bamba counts the places of a second pass from zero again.
#
# One would expect: model(more, past_key_values=cache) goes on where the cache ends, as every Llama-like
#   model does. position_ids may be left out, and is 24, 25, ... after 24 cached tokens.
# What happens: Bamba takes 0, 1, 2, ... for the new tokens, however long the cache is. Its attention layers
#   rotate queries and keys to the wrong places. Nothing is said. With position_ids given, all is exact.
#   generate gives them, so it is right there. A passing test of generate shows nothing.
# Why it matters: a shared prefix is prefilled once and then continued by forward calls. Everything that
#   does so (prefix caches, chunked prefill, scoring of answers) gets other logits from this model only.
# How sure: certain, token by token and in one piece.
# Versions: transformers 5.23.0, torch 2.13.0.
# Source: found by running it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.23.0 numpy==2.4.6
export OMP_NUM_THREADS=1 HF_HOME="$tmp/hf" HF_HUB_OFFLINE=1
cat > "$tmp/probe.py" <<'PY'
import sys
import warnings

import torch
import transformers
from transformers import BambaConfig, BambaForCausalLM

warnings.filterwarnings("ignore")
torch.manual_seed(0)
model = BambaForCausalLM(BambaConfig(
    vocab_size=256, hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=2, attn_layer_indices=[1, 3], mamba_n_heads=8, mamba_d_head="auto", mamba_expand=2,
    mamba_d_state=16, mamba_n_groups=1, mamba_chunk_size=8, pad_token_id=0, initializer_range=0.1)).eval()
ids = torch.randint(3, 256, (1, 40))


@torch.no_grad()
def gap(starts, told):
    """Largest difference of the logits to those of one pass."""
    whole = model(ids, use_cache=False).logits
    cache, parts = None, []
    for start, stop in zip(starts, [*starts[1:], 40]):
        more = {"position_ids": torch.arange(start, stop)[None]} if told else {}
        out = model(ids[:, start:stop], past_key_values=cache, use_cache=True, **more)
        cache = out.past_key_values
        parts.append(out.logits)
    return (torch.cat(parts, 1) - whole).abs().max().item()


print("transformers", transformers.__version__, "torch", torch.__version__)
print("Guess: 24 tokens and then 16 on the cache give the logits of 40 at once, position_ids given or not.")
one_piece, by_one = gap([0, 24], False), gap([0, *range(24, 40)], False)
told = max(gap([0, 24], True), gap([0, *range(24, 40)], True))
print("Seen, largest difference of the logits to those of one pass:")
print(f"  16 at once, no position_ids    {one_piece:.6f}")
print(f"  one by one, no position_ids    {by_one:.6f}")
print(f"  with position_ids, either way  {told:.6f}")
same = one_piece > 0.01 and by_one > 0.01 and told < 1e-4
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
