#!/usr/bin/env bash
# Title: after eviction, transformers 5.23 takes the position from the number of stored keys, and
#   ignores cache_position without a word.
#
# One would expect: after 20 of 40 keys were dropped from the cache, model(next, past_key_values=cache,
#   cache_position=[40]) rotates the token to place 40, as it did in earlier releases. Or that an
#   argument which is no longer known is refused.
# What happens: cache_position is accepted and has no effect. The token is placed at 20. Only
#   position_ids moves it. generate with the whole prompt has the same trouble: it takes the 20 stored
#   keys for the first 20 tokens and reads the other 20 a second time.
# Why it matters: most published code for evicting keys passes cache_position to keep the old places.
#   Under a new transformers it runs without an error, and the question is read at wrong distances.
# How sure: certain. transformers 5.2.0 obeys cache_position (checked by hand).
# Versions: transformers 5.23.0, torch 2.13.0.
# Source: https://github.com/huggingface/transformers/pull/44759 and the pull requests it names.
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
ids = torch.randint(3, 256, (1, 41))
cache = DynamicCache()
with torch.no_grad():
    model(ids[:, :40], past_key_values=cache)
    for layer in cache.layers:
        layer.keys = layer.keys[:, :, ::2].contiguous()
        layer.values = layer.values[:, :, ::2].contiguous()

    def step(**more):
        return model(ids[:, 40:], past_key_values=copy.deepcopy(cache), **more).logits

    silent = step()
    by_cache_position = step(cache_position=torch.tensor([40]))
    at_20 = step(position_ids=torch.tensor([[20]]))
    at_40 = step(position_ids=torch.tensor([[40]]))

    read = []
    model.model.embed_tokens.register_forward_hook(lambda _m, args, _o: read.append(args[0].shape[1]))
    model.generate(ids, past_key_values=copy.deepcopy(cache), max_new_tokens=1, do_sample=False, pad_token_id=0)


def gap(a, b):
    return (a - b).abs().max().item()


print("transformers", transformers.__version__, "torch", torch.__version__)
print("Guess: cache_position=[40] means place 40, or an error; generate reads the 1 new token.")
print("Seen, largest difference of the logits with cache_position=[40]:")
print(f"  to no argument at all      {gap(by_cache_position, silent):.6f}")
print(f"  to position_ids=[[20]]     {gap(by_cache_position, at_20):.6f}")
print(f"  to position_ids=[[40]]     {gap(by_cache_position, at_40):.6f}")
print(f"  generate read {read[0]} tokens")
same = (gap(by_cache_position, silent) == 0 and gap(by_cache_position, at_20) < 1e-4
        and gap(by_cache_position, at_40) > 0.1 and read[0] == 21)
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
