#!/usr/bin/env bash
# Title: kvpress's PyramidKVPress gives every layer the same size at the ratios that are usually shown.
#
# One would expect: PyramidKV gives low layers more keys than high layers at every ratio. That is the
#   whole method. The stronger the compression, the more the shape should matter.
# What happens: the smallest layer would get 1/20 of the mean size. If that is below window_size (64),
#   the press falls back to SnapKV's equal sizes. At ratios well above 0.5 this is so whenever fewer than
#   20 * 64 = 1280 keys a layer are kept. On 4096 tokens: a pyramid at ratio 0.5, flat at 0.75 and
#   0.875. Nothing is printed.
# Why it matters: 4096 tokens and ratios up to 0.875 are the usual table. The right half of the
#   PyramidKV curve is the curve of SnapKV, and a comparison of the two says nothing there.
# How sure: certain. The script also shows the border: flat at 1279 keys a layer, a pyramid at 1280.
# Versions: kvpress 0.5.5, transformers 5.2.0, torch 2.13.0.
# Source: get_layer_budget in kvpress's pyramidkv_press.py; a comment there names the fallback.
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
from kvpress import PyramidKVPress, SnapKVPress
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(
    vocab_size=256, hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2,
    num_key_value_heads=1, max_position_embeddings=8192)).eval()


def cache_of(press, length):
    ids = torch.randint(3, 256, (1, length), generator=torch.Generator().manual_seed(1))
    cache = DynamicCache()
    with torch.no_grad(), press(model):
        model(ids, past_key_values=cache)
    return cache


def sizes(press, length):
    return [layer.keys.shape[2] for layer in cache_of(press, length).layers]


print("kvpress", importlib.metadata.version("kvpress"), "transformers", transformers.__version__,
      "torch", torch.__version__)
print("Guess: the first layer keeps more than the last one, at every ratio.")
print("Seen, keys kept by layer, 4096 tokens:")
rows = {}
for ratio in (0.5, 0.75, 0.875):
    rows[ratio] = sizes(PyramidKVPress(ratio), 4096)
    print(f"  ratio {ratio:5}: {rows[ratio]}")
border = {length: sizes(PyramidKVPress(0.75), length) for length in (5116, 5120)}
for length, row in border.items():
    print(f"  {length} tokens, ratio 0.75 (mean {length // 4}): {row}")
pyramid, snap = cache_of(PyramidKVPress(0.75), 4096), cache_of(SnapKVPress(0.75), 4096)
equal = all(a.keys.shape == b.keys.shape and torch.equal(a.keys, b.keys) for a, b in zip(pyramid.layers, snap.layers))
print("  at 4096 tokens, ratio 0.75, the kept keys are exactly SnapKV's:", equal)
same = (rows[0.5][0] > 10 * rows[0.5][-1] and len(set(rows[0.75])) == 1 and len(set(rows[0.875])) == 1
        and len(set(border[5116])) == 1 and border[5120][0] > 10 * border[5120][-1] and equal)
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
