#!/usr/bin/env bash
# Title: a mask for the new tokens alone makes them blind to themselves, without an error.
#
# One would expect: with 30 cached keys and 10 new tokens, an attention_mask of width 10 is refused,
#   since 40 keys take part. Or it is read as the mask of the 10 new tokens.
# What happens: it is filled up with zeros on the right. The ten ones fall on the ten oldest keys. The
#   new tokens see those ten, none of the other twenty, and not even themselves. No error, no warning.
# Why it matters: a tokenizer hands out the mask of the question alone. Passing it on beside a filled
#   cache is a natural slip. The run then looks like a very sparse method that kept the oldest keys.
# How sure: certain. The script shows the weights, and that a mask of ten ones and thirty zeros does the same.
# Versions: transformers 5.23.0, torch 2.13.0. Seen in transformers 5.2.0 too.
# Source: found by running it. The manual asks for a mask over past and new tokens, not what else happens.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.23.0 numpy==2.4.6
export OMP_NUM_THREADS=1 HF_HOME="$tmp/hf" HF_HUB_OFFLINE=1
cat > "$tmp/probe.py" <<'PY'
import copy
import sys

import torch
import transformers
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, initializer_range=0.3, attn_implementation="eager")).eval()
ids = torch.randint(3, 256, (1, 40))
cache = DynamicCache()
padded = torch.zeros(1, 40, dtype=torch.long)
padded[:, :10] = 1


def run(implementation, **more):
    model.set_attn_implementation(implementation)
    return model(ids[:, 30:], past_key_values=copy.deepcopy(cache), **more)


def gap(a, b):
    return (a.logits - b.logits).abs().max().item()


with torch.no_grad():
    model(ids[:, :30], past_key_values=cache)
    short = run("eager", attention_mask=torch.ones(1, 10, dtype=torch.long), output_attentions=True)
    full = run("eager", output_attentions=True)
    explicit = run("eager", attention_mask=padded)
    sdpa_gap = gap(run("sdpa", attention_mask=torch.ones(1, 10, dtype=torch.long)), run("sdpa"))

weights = short.attentions[0][0].mean(0)
own = weights[:, 30:].sum().item()
middle = weights[:, 10:30].sum().item()
oldest = weights[:, :10].sum(-1).min().item()
print("transformers", transformers.__version__, "torch", torch.__version__)
print("Guess: an error, or the same as without a mask.")
print("Seen: no error.")
print(f"  weight on the 10 oldest keys, least of all rows {oldest:.4f}")
print(f"  weight on the other 20 cached keys              {middle:.4f}")
print(f"  weight on the new tokens themselves             {own:.4f}")
print(f"  logits differ from a run without a mask by      {gap(short, full):.4f} (eager), {sdpa_gap:.4f} (sdpa)")
print(f"  and from ten ones and thirty zeros by           {gap(short, explicit):.4f}")
same = (own == 0 and middle == 0 and oldest > 0.999 and gap(short, full) > 0.1 and sdpa_gap > 0.1
        and gap(short, explicit) < 1e-5)
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
