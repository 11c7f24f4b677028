#!/usr/bin/env bash
# Title: transformers 5.23 leaves keys and tensors of a GGUF file out, and its loading report says that all is well.
#
# One would expect: what decides the model's answers is taken over, or named. output_loading_info=True has
#   unexpected_keys for tensors that the model has no place for, as it has for safetensors.
# What happens:
#   - StarCoder 2 and StableLM: rope.freq_base is not read. The model turns by 10,000; StarCoder2-3B was trained with
#     999,999.
#   - Phi-3: attention.sliding_window is not read (2,047 in Phi-3-mini-4k), nor rope.dimension_count (3/4 of a head in
#     Phi-4-mini).
#   - A Llama with biases: they are left out, and unexpected_keys is empty. So it is with any tensor that has no
#     place: the model is filled by name, and the rest of the file is not looked at.
# Why it matters: nothing fails. The answers are worse, most so on long prompts, and one blames the quantisation.
# How sure: certain. The keys are those that the gguf package itself writes; llama, the control, keeps its base.
# Versions: transformers 5.23.0, gguf 0.19.0, accelerate 1.15.0, torch 2.13.0.
# Source: found by running it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.23.0 gguf==0.19.0 \
    accelerate==1.15.0 numpy==2.4.6
export OMP_NUM_THREADS=1 HF_HOME="$tmp/hf" HF_HUB_OFFLINE=1
cat > "$tmp/probe.py" <<'PY'
import importlib.metadata
import logging
import pathlib
import sys
import tempfile

import gguf
import numpy as np
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

logging.disable(logging.WARNING)
folder = pathlib.Path(tempfile.mkdtemp())


def start(architecture):
    """A writer with the sizes of a model of one layer."""
    writer = gguf.GGUFWriter(folder / f"{architecture}.gguf", architecture)
    writer.add_context_length(16384)
    writer.add_block_count(1)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_vocab_size(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(999999.0)
    return writer


def end(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    if writer.tensors and any(writer.tensors):
        writer.write_tensors_to_file()
    writer.close()


print("transformers", transformers.__version__, "gguf", importlib.metadata.version("gguf"))
print("Guess: base, window and tensors are taken over, or named.")
print("Seen:")
same = True
for architecture, wanted in (("llama", 999999.0), ("starcoder2", 10000.0), ("stablelm", 10000.0)):
    end(start(architecture))
    base = AutoConfig.from_pretrained(folder, gguf_file=f"{architecture}.gguf").rope_parameters["rope_theta"]
    print(f"  {architecture:10} says base 999,999; the model turns by {base:,.0f}")
    same &= base == wanted

writer = start("phi3")
writer.add_sliding_window(2047)
writer.add_rope_dimension_count(12)
end(writer)
config = AutoConfig.from_pretrained(folder, gguf_file="phi3.gguf")
share = config.rope_parameters.get("partial_rotary_factor", 1.0)
print(f"  phi3       says window 2,047 and RoPE on 12 of 16; the model has {config.sliding_window} and {16 * share:.0f}")
same &= config.sliding_window is None and share == 1.0

writer = start("llama")
writer.add_rope_dimension_count(16)
for name, shape in (
    ("token_embd.weight", (64, 64)),
    ("output.weight", (64, 64)),
    ("output_norm.weight", (64,)),
    ("blk.0.attn_norm.weight", (64,)),
    ("blk.0.ffn_norm.weight", (64,)),
    ("blk.0.attn_q.weight", (64, 64)),
    ("blk.0.attn_k.weight", (32, 64)),
    ("blk.0.attn_v.weight", (32, 64)),
    ("blk.0.attn_output.weight", (64, 64)),
    ("blk.0.ffn_up.weight", (96, 64)),
    ("blk.0.ffn_gate.weight", (96, 64)),
    ("blk.0.ffn_down.weight", (64, 96)),
    ("blk.0.attn_v.bias", (32,)),
    ("blk.0.ffn_down.bias", (64,)),
):
    writer.add_tensor(name, np.ones(shape, np.float32))
end(writer)
model, report = AutoModelForCausalLM.from_pretrained(folder, gguf_file="llama.gguf", output_loading_info=True)
biases = [name for name, _ in model.named_parameters() if name.endswith("bias")]
print(f"  llama      with 2 biases: the model has {len(biases)}, unexpected_keys is {sorted(report['unexpected_keys'])}")
same &= not biases and not report["unexpected_keys"]
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
