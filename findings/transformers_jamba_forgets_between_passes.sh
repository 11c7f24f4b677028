#!/usr/bin/env bash
# Title: in transformers 5.23, Jamba drops its recurrent state when more than one token follows a cache.
#
# One would expect: 24 tokens, then 16 tokens with the cache of the first pass, give the logits of 40
#   tokens at once. Token by token they do, and so does every other hybrid tried (Zamba2, Falcon-H1,
#   Granite, Nemotron-H, Qwen3-Next, LFM2) in one piece as well.
# What happens: a pass of several tokens begins with an empty convolution and an empty state in every Mamba
#   layer, though the cache holds both. Only its attention layers see the first 24 tokens. No error, no
#   warning.
# Why it matters: chunked prefill and a user input on a cached document are exactly such passes. The answer
#   is fluent and half blind, and a method that saves memory is blamed for it.
# How sure: certain.
# Versions: transformers 5.23.0, torch 2.13.0, the plain PyTorch path (use_mamba_kernels=False).
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
from transformers import JambaConfig, JambaForCausalLM

warnings.filterwarnings("ignore")
torch.manual_seed(0)
model = JambaForCausalLM(JambaConfig(
    vocab_size=256, hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=2, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2,
    expert_layer_offset=1, num_experts=2, num_experts_per_tok=1, use_mamba_kernels=False, mamba_d_state=8,
    mamba_dt_rank=8, pad_token_id=0, initializer_range=0.2)).eval()
ids = torch.randint(3, 256, (1, 40))


@torch.no_grad()
def gap(starts):
    """Largest difference of the logits to those of one pass, by token."""
    whole = model(ids, use_cache=False).logits
    cache, parts = None, []
    for start, stop in zip(starts, [*starts[1:], 40]):
        out = model(ids[:, start:stop], past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        parts.append(out.logits)
    return (torch.cat(parts, 1) - whole).abs().amax((0, 2))


print("transformers", transformers.__version__, "torch", torch.__version__)
print("Guess: 24 tokens and then 16 on the cache give the logits of 40 at once.")
pieces, by_one = gap([0, 24]), gap([0, *range(24, 40)])
print("Seen, largest difference of the logits to those of one pass:")
print(f"  the first 24 tokens      {pieces[:24].max():.6f}")
print(f"  then 16 tokens at once   {pieces[24:].max():.6f}, of the first of them {pieces[24]:.6f}")
print(f"  then 16, one by one      {by_one.max():.6f}")
same = bool(pieces[:24].max() < 1e-4 and pieces[24:].max() > 0.01 and by_one.max() < 1e-4)
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
