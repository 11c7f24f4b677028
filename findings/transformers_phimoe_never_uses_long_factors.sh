#!/usr/bin/env bash
# Title: in transformers 5.23, PhiMoE reads long_factor and never uses it.
#
# One would expect: with rope_type "longrope", a pass longer than original_max_position_embeddings rotates
#   by long_factor. Phi-3, with the same settings in its configuration, does.
# What happens: PhiMoE rotates by short_factor at every length. Only the scale of cosine and sine changes at
#   the limit (long_mscale). Two models whose long factors are 2 and 50 give equal logits bit by bit.
# Why it matters: Phi-3.5-MoE is used for its 128K tokens. Scores of long contexts, and any index of
#   its keys, are those of another model than the one that was trained; a budget study on it says nothing.
# How sure: certain.
# Versions: transformers 5.23.0, torch 2.13.0.
# Source: found by running it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.23.0 numpy==2.4.6
export OMP_NUM_THREADS=1 HF_HOME="$tmp/hf" HF_HUB_OFFLINE=1
cat > "$tmp/probe.py" <<'PY'
import logging
import sys

import torch
import transformers
from transformers import Phi3Config, Phi3ForCausalLM, PhimoeConfig, PhimoeForCausalLM

logging.disable(logging.WARNING)
LIMIT = 32
ids = torch.randint(3, 256, (1, 40), generator=torch.Generator().manual_seed(0))
sizes = dict(
    vocab_size=256, hidden_size=64, intermediate_size=96, num_hidden_layers=1, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, original_max_position_embeddings=LIMIT, pad_token_id=0)


@torch.no_grad()
def logits(config, model, long, tokens, **more):
    rope = dict(
        rope_type="longrope", rope_theta=10000.0, short_factor=[1.0] * 8, long_factor=[long] * 8,
        short_mscale=1.0, long_mscale=1.0, original_max_position_embeddings=LIMIT, factor=4.0)
    torch.manual_seed(0)
    made = model(config(**sizes, rope_parameters=rope, initializer_range=0.2, **more)).eval()
    return made(ids[:, :tokens]).logits


def gap(tokens, *kind, **more):
    """Largest difference between long factors of 2 and of 50."""
    return (logits(*kind, 2.0, tokens, **more) - logits(*kind, 50.0, tokens, **more)).abs().max().item()


experts = dict(num_local_experts=2, num_experts_per_tok=1)
print("transformers", transformers.__version__, "torch", torch.__version__)
print(f"Guess: beyond {LIMIT} tokens the long factors decide, in both models; up to there in none.")
print("Seen, largest difference of the logits between long factors of 2 and of 50:")
phi3 = [gap(tokens, Phi3Config, Phi3ForCausalLM) for tokens in (LIMIT, 40)]
phimoe = [gap(tokens, PhimoeConfig, PhimoeForCausalLM, **experts) for tokens in (LIMIT, 40)]
print(f"  Phi-3   {LIMIT} tokens {phi3[0]:.6f}   40 tokens {phi3[1]:.6f}")
print(f"  PhiMoE  {LIMIT} tokens {phimoe[0]:.6f}   40 tokens {phimoe[1]:.6f}")
same = phi3[0] == 0 and phi3[1] > 0.01 and phimoe == [0.0, 0.0]
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
