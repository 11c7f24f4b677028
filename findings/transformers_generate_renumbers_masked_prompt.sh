#!/usr/bin/env bash
# Title: a hole in attention_mask moves the later tokens in generate, but not in a forward pass.
#
# One would expect: model(ids, attention_mask=mask) and model.generate(ids, attention_mask=mask)
#   give the same logits for the next token. The mask says which keys are visible, nothing else.
# What happens: generate numbers the visible tokens only (running sum of the mask, minus one). Every
#   token after a hole gets a smaller position. A forward pass numbers all tokens. With rotary
#   positions the two calls give different logits. This also holds when the cache was filled before.
#   With position_ids given by hand, generate agrees with the forward pass.
# Why it matters: masking keys in the middle of a prompt is the usual cheap way to imitate eviction.
#   Through generate the imitation also shifts all later tokens. Its score is then that of another method.
# How sure: certain. The script shows the cause too: a forward pass with those positions agrees.
# Versions: transformers 5.23.0, torch 2.13.0. Seen in transformers 5.2.0 too.
# Source: found by running it. The numbering is meant for padding on the left.
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
    num_key_value_heads=2, initializer_range=0.3)).eval()
ids = torch.randint(3, 256, (1, 40))
mask = torch.ones_like(ids)
mask[:, 10:20] = 0


def generate(**more):
    out = model.generate(ids, attention_mask=mask, max_new_tokens=1, do_sample=False, output_logits=True,
                         return_dict_in_generate=True, pad_token_id=0, **more)
    return out.logits[0]


def gap(a, b):
    return (a - b).abs().max().item()


with torch.no_grad():
    forward = model(ids, attention_mask=mask).logits[:, -1]
    visible = (mask.cumsum(-1) - 1).clamp(min=0)
    renumbered = model(ids, attention_mask=mask, position_ids=visible).logits[:, -1]
    plain = generate()
    told = generate(position_ids=torch.arange(40)[None])
    cache = DynamicCache()
    model(ids[:, :-1], past_key_values=cache)
    cached_forward = model(ids[:, -1:], attention_mask=mask, past_key_values=copy.deepcopy(cache)).logits[:, -1]
    cached = generate(past_key_values=copy.deepcopy(cache))

print("transformers", transformers.__version__, "torch", torch.__version__)
print("Guess: both calls give the same logits (difference 0).")
print("Seen, largest difference of the logits:")
print(f"  generate and forward                           {gap(plain, forward):.6f}")
print(f"  generate and forward, filled cache             {gap(cached, cached_forward):.6f}")
print(f"  generate and forward with visible tokens counted {gap(plain, renumbered):.6f}")
print(f"  generate with position_ids and forward         {gap(told, forward):.6f}")
same = (gap(plain, forward) > 0.1 and gap(cached, cached_forward) > 0.1
        and gap(plain, renumbered) < 1e-3 and gap(told, forward) < 1e-3)
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
