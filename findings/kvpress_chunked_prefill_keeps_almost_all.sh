#!/usr/bin/env bash
# Title: with prefill_chunk_size, kvpress compresses the first chunk only.
#
# One would expect: a press with compression_ratio 0.5 leaves half of the prompt's keys, however the
#   prompt is fed. Or it refuses chunked prefill.
# What happens: a press acts only when a pass starts at place 0. generate with prefill_chunk_size makes
#   several passes. The first chunk is halved, all others stay whole. 400 tokens in chunks of 40 leave
#   380 keys instead of 200. Nothing is said.
# Why it matters: long prompts are fed in chunks to save memory, so exactly the long runs are hit. The
#   method then looks far better than it is: it keeps nearly all keys, whatever ratio the table states.
#   Calling the model twice on one cache (a second turn, a shared prefix) is the same case.
# How sure: certain. It follows from how a press tells prefill from decoding.
# Versions: kvpress 0.5.5, transformers 5.2.0 (kvpress asks for less than 5.3), torch 2.13.0.
# Source: found by running it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 kvpress==0.5.5 transformers==5.2.0 numpy==2.4.6
export OMP_NUM_THREADS=1 HF_HOME="$tmp/hf" HF_HUB_OFFLINE=1
cat > "$tmp/probe.py" <<'PY'
import importlib.metadata
import sys

import torch
import transformers
from kvpress import KnormPress, SnapKVPress
from transformers import LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2)).eval()
ids = torch.randint(3, 256, (1, 400))


def kept(press, chunk):
    more = {} if chunk is None else {"prefill_chunk_size": chunk}
    with press(model):
        out = model.generate(ids, max_new_tokens=1, do_sample=False, pad_token_id=0,
                             return_dict_in_generate=True, **more)
    return out.past_key_values.layers[0].keys.shape[2]


print("kvpress", importlib.metadata.version("kvpress"), "transformers", transformers.__version__,
      "torch", torch.__version__)
print("Guess: 200 of 400 keys are left, whatever the chunk.")
print("Seen, keys left at compression_ratio 0.5:")
seen = []
for name, press in (("Knorm", KnormPress(0.5)), ("SnapKV", SnapKVPress(0.5, window_size=16))):
    row = [kept(press, chunk) for chunk in (None, 200, 100, 40)]
    print(f"  {name:7} no chunks {row[0]}, chunks of 200 {row[1]}, of 100 {row[2]}, of 40 {row[3]}")
    seen.append(row)
same = all(row == [200, 300, 350, 380] for row in seen)
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
