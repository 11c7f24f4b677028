#!/usr/bin/env bash
# Title: tl.sort of values with one NaN loses the NaN and returns another value twice.
#
# One would expect: the same values in some order. NaN at one end, or in an odd place at worst.
# What happens: in each step the two places of a pair decide for themselves, each by comparing its value with
#   the other's. A comparison with NaN is false on both sides. So the places disagree, and one of the two
#   values ends up in both. [3, nan, 1, 7, 2, inf, -1, 0] gives
#   [inf, 7, 3, 3, 2, 1, 0, -1]. tl.max skips the NaN too, while tl.argmax points at it in the interpreter.
# Why it matters: selection of keys sorts scores. One NaN score (an overflow, a masked row) does not show
#   up in the result as NaN. A threshold or a budget is then computed from scores that never existed, and a
#   check for NaN after the sort finds nothing.
# How sure: certain for the interpreter. Compiled on an NVIDIA H200 with Triton 3.6.0, tl.sort gave the
#   very same eight numbers, and tl.argmax pointed at the largest number and not at the NaN.
# Versions: triton 3.7.1, torch 2.13.0, numpy 2.4.6.
# Source: found by running it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 triton==3.7.1 numpy==2.4.6
export OMP_NUM_THREADS=1 TRITON_INTERPRET=1 TRITON_CACHE_DIR="$tmp/triton"
cat > "$tmp/probe.py" <<'PY'
import sys
import warnings

import torch
import triton
import triton.language as tl

warnings.simplefilter("ignore")


@triton.jit
def kernel(x, ordered, top, largest, N: tl.constexpr, K: tl.constexpr):
    value = tl.load(x + tl.arange(0, N))
    tl.store(ordered + tl.arange(0, N), tl.sort(value, descending=True))
    tl.store(top + tl.arange(0, K), tl.topk(value, K))
    tl.store(largest, tl.max(value, 0))
    tl.store(largest + 1, tl.argmax(value, 0).to(tl.float32))


nan = float("nan")
x = torch.tensor([3.0, nan, 1.0, 7.0, 2.0, float("inf"), -1.0, 0.0])
ordered, top, largest = torch.zeros(8), torch.zeros(4), torch.zeros(2)
kernel[(1,)](x, ordered, top, largest, 8, 4)
print("triton", triton.__version__, "torch", torch.__version__, "interpreter on the CPU")
print("Guess: one NaN among the eight sorted values.")
print("Seen:")
print("  in     ", x.tolist())
print("  tl.sort", ordered.tolist())
print("  tl.topk", top.tolist())
print(f"  tl.max {largest[0].item()}, tl.argmax {int(largest[1].item())} (the NaN is at 1, the largest at 5)")
same = not ordered.isnan().any() and ordered.tolist() == [float("inf"), 7.0, 3.0, 3.0, 2.0, 1.0, 0.0, -1.0]
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
