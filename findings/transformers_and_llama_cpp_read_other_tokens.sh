#!/usr/bin/env bash
# Title: transformers 5.23 and llama.cpp make other tokens of one text with the tokenizer of one GGUF file.
#
# One would expect: a GGUF file holds vocabulary, merges and the name of the rules by which a text is cut, so
#   both make the same tokens. Or transformers refuses a name that it does not know.
# What happens, in the file of a byte-level vocabulary:
#   - Cut by Llama 3's rules (llama-bpe, and Mistral's tekken): llama.cpp begins with BOS unless the file says
#     otherwise, and takes a word that is a token as it is. transformers adds no BOS, and cuts the word into what
#     merges make of it. add_bos_token is optional: gguf's own vocabulary reader writes it today where
#     tokenizer.json has a template, and wrote none before.
#   - Cut by rules that transformers does not know (deepseek-coder, stablelm2, smollm, and any made-up
#     name): it cuts as GPT-2 does, without a word. llama.cpp refuses a made-up name.
# In the file of a SentencePiece vocabulary: add_space_prefix = false is not heeded. transformers puts a blank before
#   the text all the same.
# Why it matters: the model runs and answers somewhat worse, so one blames the quantisation. A benchmark that
#   compares an engine on transformers with llama.cpp on "the same file" compares two prompts.
# How sure: certain. gpt-2, the control, gives equal tokens.
# Versions: transformers 5.23.0, gguf 0.19.0, xllamacpp 2026.10.11549 (llama.cpp in a wheel), torch 2.13.0.
# Source: found by running it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.23.0 gguf==0.19.0 \
    accelerate==1.15.0 numpy==2.4.6 xllamacpp==2026.10.11549
export OMP_NUM_THREADS=1 HF_HOME="$tmp/hf" HF_HUB_OFFLINE=1
cat > "$tmp/probe.py" <<'PY'
import importlib.metadata
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

TEXT = "hello 1234\n\n5"
WORD = "hi"  # for the SentencePiece vocabulary


def ask_llama_cpp(path):
    """Prints the tokens that llama.cpp makes; a process of its own, which ends without waiting for it."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.warmup = path, 64, 1, False
    server = xllamacpp.Server(params)
    body = json.dumps({"content": sys.argv[2], "add_special": True}).encode()
    request = urllib.request.Request(
        f"{server.listening_address}/tokenize", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        print("IDS", json.load(answer)["tokens"], flush=True)
    os._exit(0)


if len(sys.argv) > 1:
    ask_llama_cpp(sys.argv[1])

import gguf
import numpy as np
import transformers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoTokenizer

logging.disable(logging.WARNING)
folder = pathlib.Path(tempfile.mkdtemp())
MERGES = ["l l", "1 2", "12 3", "123 4", "Ċ Ċ"]
TOKENS = ["<s>", "</s>", *sorted(ByteLevel.alphabet()), *("".join(each.split()) for each in MERGES), "hello"]
PIECES = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "h", "i"]


def write(pre):
    """A one-layer Llama of zeros with a small vocabulary, whose texts are cut by the rules of that name."""
    writer = start(pre, len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3] + [1] * (len(TOKENS) - 2))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    return end(writer, len(TOKENS))


def write_sentencepiece(prefix):
    """The same with a SentencePiece vocabulary."""
    writer = start(f"prefix-{prefix}", len(PIECES))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(PIECES)
    writer.add_token_scores([0.0] * 259 + [-1.0, -2.0, -3.0])
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * 3)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(prefix)
    return end(writer, len(PIECES))


def start(name, tokens):
    path = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_block_count(1)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(64)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(tokens)
    return writer


def end(writer, tokens):
    for name, shape in (
        ("token_embd", (tokens, 64)),
        ("output", (tokens, 64)),
        ("output_norm", (64,)),
        ("blk.0.attn_norm", (64,)),
        ("blk.0.ffn_norm", (64,)),
        *((f"blk.0.{part}", (64, 64)) for part in ("attn_q", "attn_k", "attn_v", "attn_output")),
        *((f"blk.0.{part}", (64, 64)) for part in ("ffn_up", "ffn_gate", "ffn_down")),
    ):
        writer.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return writer.path


def of_llama_cpp(path, text=TEXT):
    found = subprocess.run([sys.executable, __file__, str(path), text], capture_output=True, text=True, timeout=120)
    lines = [line for line in found.stdout.splitlines() if line.startswith("IDS ")]
    return json.loads(lines[0][4:]) if lines else None


def shown(ids):
    return "refused" if ids is None else " ".join(TOKENS[each] for each in ids)


for package in ("transformers", "gguf", "xllamacpp"):
    print(package, importlib.metadata.version(package), end="  ")
print(f"\nText: {TEXT!r}\nGuess: equal tokens, or transformers refuses a name it does not know.\nSeen:")
same = True
for pre in ("gpt-2", "llama-bpe", "tekken", "deepseek-coder", "stablelm2", "smollm", "made-up"):
    path = write(pre)
    theirs = of_llama_cpp(path)
    ours = AutoTokenizer.from_pretrained(folder, gguf_file=path.name).encode(TEXT)
    print(f"  {pre:14} llama.cpp     {shown(theirs)}\n  {'':14} transformers  {shown(ours)}")
    if pre == "gpt-2":
        same &= theirs == ours
    elif pre in ("llama-bpe", "tekken"):
        same &= theirs[0] == 0 != ours[0] and TOKENS[theirs[1]] == "hello" != TOKENS[ours[0]]
    else:
        as_gpt2 = AutoTokenizer.from_pretrained(folder, gguf_file="gpt-2.gguf").encode(TEXT)
        same &= theirs != ours == as_gpt2
for prefix in (True, False):
    path = write_sentencepiece(prefix)
    theirs = " ".join(PIECES[each] for each in of_llama_cpp(path, WORD))
    ours = " ".join(PIECES[each] for each in AutoTokenizer.from_pretrained(folder, gguf_file=path.name).encode(WORD))
    print(f"  {WORD}, add_space_prefix {prefix}: llama.cpp {theirs}; transformers {ours}")
    same &= (theirs == ours) == prefix and ours == "<s> ▁ h i"
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
