#!/usr/bin/env bash
# Title: QuantizedCache's residual_length does not protect the newest tokens, and crop does not shorten it.
#
# One would expect: residual_length=128 keeps the newest 128 tokens in full precision, as KIVI does, the
#   paper that the class names. After crop(-10) of a 205 token cache the length is 195.
# What happens: a prefill is quantised whole, its last tokens too. 128 is only the size of a buffer for
#   later tokens. Each time it is full it is emptied, so the number of exact tokens runs from 0 to 127
#   and is 0 right after the prefill. crop works on that buffer alone: after crop(-10) the length is
#   still 205, 5 of the 10 tokens are still stored, and the next token gets place 205.
# Why it matters: sparse methods are compared with KV quantisation, and the newest tokens carry much of
#   the attention. A run with this class is not a run of KIVI and must not be named so. Reusing a cached
#   context for several questions needs crop (the usual copy.deepcopy raises for this cache).
# How sure: certain for both. hqq fills the same buffer in the same way (checked by hand).
# Versions: transformers 5.23.0, optimum-quanto 0.2.7, torch 2.13.0.
# Source: https://github.com/huggingface/transformers/issues/34189 (residual),
#   https://github.com/huggingface/transformers/pull/48700 (repairs under way).
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.23.0 \
  optimum-quanto==0.2.7 numpy==2.4.6
export OMP_NUM_THREADS=1 HF_HOME="$tmp/hf" HF_HUB_OFFLINE=1
cat > "$tmp/probe.py" <<'PY'
import importlib.metadata
import sys

import torch
import transformers
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, QuantizedCache

torch.manual_seed(0)
config = LlamaConfig(vocab_size=256, hidden_size=256, intermediate_size=128, num_hidden_layers=2,
                     num_attention_heads=4, num_key_value_heads=2, initializer_range=0.1)
model = LlamaForCausalLM(config).eval()
ids = torch.randint(3, 256, (1, 560))


def new_cache():
    return QuantizedCache(backend="quanto", config=config, nbits=4, q_group_size=64, residual_length=128)


def exact(cache):
    keys = cache.layers[0].keys
    return keys.shape[-2] if keys.dim() == 4 else 0


with torch.no_grad():
    cache, reference = new_cache(), DynamicCache(config=config)
    model(ids[:, :300], past_key_values=cache)
    model(ids[:, :300], past_key_values=reference)
    layer = cache.layers[0]
    wrong = (layer._dequantize(layer._quantized_keys) - reference.layers[0].keys).abs().amax(dim=(0, 1, 3))
    counts = {300: exact(cache)}
    for length in range(301, 561):
        model(ids[:, length - 1:length], past_key_values=cache)
        counts[length] = exact(cache)

    cache = new_cache()
    model(ids[:, :200], past_key_values=cache)
    model(ids[:, 200:205], past_key_values=cache)
    cache.crop(-10)
    layer = cache.layers[0]
    stored = layer._dequantize(layer._quantized_keys).shape[-2] + exact(cache)
    reported = cache.get_seq_length()
    places = []
    model.model.rotary_emb.register_forward_pre_hook(
        lambda _m, args, kwargs: places.append((kwargs.get("position_ids") if len(args) < 2 else args[1]).item()),
        with_kwargs=True)
    model(ids[:, 205:206], past_key_values=cache)

shown = {length: counts[length] for length in (300, 301, 427, 428, 429, 555, 556)}
print("transformers", transformers.__version__, "optimum-quanto", importlib.metadata.version("optimum-quanto"),
      "torch", torch.__version__)
print("Guess: 128 exact tokens at every length; 195 tokens after crop(-10) of 205.")
print("Seen, length: exact tokens", shown)
print(f"  error of the keys after a prefill of 300: oldest 128 {wrong[:128].mean():.3f}, "
      f"newest 128 {wrong[-128:].mean():.3f}")
print(f"  after crop(-10): length {reported}, stored {stored}, place of the next token {places[0]}")
same = (shown == {300: 0, 301: 1, 427: 127, 428: 0, 429: 1, 555: 127, 556: 0}
        and wrong[-128:].mean() > 0.5 * wrong[:128].mean() > 0.01
        and (reported, stored, places[0]) == (205, 200, 205))
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
