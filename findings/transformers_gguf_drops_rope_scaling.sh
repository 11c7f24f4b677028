#!/usr/bin/env bash
# Title: transformers 5.23 reads a GGUF file's context length and leaves out its RoPE scaling.
#
# One would expect: a file that says rope.scaling.type = yarn (or linear), factor 4 and an original context
#   of 32,768 tokens gets that rotation. Or a warning, or an error.
# What happens: the configuration says rope_type "default". The long context length is taken over, so
#   nothing warns of a prompt beyond 32,768 tokens either. So it is for Llama, Qwen2, Qwen3, Mistral,
#   Phi-3, Gemma 2 and 3.
# Why it matters: GGUF is how many people have their long-context models, and long contexts are what the
#   scaling is for. The model runs, is good on short prompts, and is another model on long ones (with
#   yarn on short ones too). A benchmark of context lengths then measures the missing scaling.
# How sure: certain. The keys are those that the gguf package itself writes.
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
import transformers
from transformers import AutoConfig

logging.disable(logging.WARNING)
folder = pathlib.Path(tempfile.mkdtemp())


def read(architecture, kind):
    """The configuration that transformers makes of a file's head."""
    path = folder / f"{architecture}-{kind}.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(131072)
    writer.add_block_count(1)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_vocab_size(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_scaling_type(gguf.RopeScalingType(kind))
    writer.add_rope_scaling_factor(4.0)
    writer.add_rope_scaling_orig_ctx_len(32768)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return AutoConfig.from_pretrained(folder, gguf_file=path.name).get_text_config()


print("transformers", transformers.__version__, "gguf", importlib.metadata.version("gguf"))
print("Guess: the rotation is scaled as the file says, or something is said.")
print("Seen:")
same = True
for architecture in ("llama", "qwen2", "qwen3", "mistral", "phi3", "gemma2", "gemma3"):
    for kind in ("yarn", "linear"):
        config = read(architecture, kind)
        rope = config.rope_parameters
        types = {each["rope_type"] for each in rope.values()} if "rope_type" not in rope else {rope["rope_type"]}
        print(f"  {architecture:8} {kind:7} rope_type {sorted(types)}, {config.max_position_embeddings} positions")
        same &= types == {"default"} and config.max_position_embeddings == 131072
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
