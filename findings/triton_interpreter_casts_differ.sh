#!/usr/bin/env bash
# Title: Triton's interpreter cuts float32 to bfloat16 instead of rounding, and wraps 8 bit floats around.
#
# One would expect: x.to(tl.bfloat16) gives the same bits under TRITON_INTERPRET=1 as compiled, and as in
#   PyTorch: rounded to nearest. x.to(tl.float8e4nv) of 500 gives 448, the largest value.
# What happens: the interpreter drops the low bits. About half of all values come out one step nearer to
#   zero. The conversion to e4m3 of a value that is too large gives a small finite number: 500 turns into
#   256, 100000 into 384. The compiled kernel rounds and gives 448.
# Why it matters: the interpreter is how kernels are tested where there is no GPU. A reference check in
#   bfloat16 fails by one step for no fault of the kernel, or a tolerance gets widened to hide it. A
#   quantised cache without clamping passes on the GPU and gives nonsense in the test.
# How sure: certain for the interpreter. Compiled results were seen on an NVIDIA H200 with Triton 3.6.0:
#   rounded bfloat16, 448 for 500 and for 100000. The manual says that bfloat16 arithmetic is not supported
#   there and asks for casts; that the casts themselves differ is not said.
# Versions: triton 3.7.1, torch 2.13.0, numpy 2.4.6.
# Source: found by running it. A relative: https://github.com/triton-lang/triton/issues/8322
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 triton==3.7.1 numpy==2.4.6
export OMP_NUM_THREADS=1 TRITON_INTERPRET=1 TRITON_CACHE_DIR="$tmp/triton"
cat > "$tmp/probe.py" <<'PY'
import sys

import torch
import triton
import triton.language as tl


@triton.jit
def casts(x, as_bf16, as_fp8, N: tl.constexpr):
    at = tl.arange(0, N)
    value = tl.load(x + at)
    tl.store(as_bf16 + at, value.to(tl.bfloat16).to(tl.float32))
    tl.store(as_fp8 + at, value.to(tl.float8e4nv).to(tl.float32))


def interpret(x):
    bf16, fp8 = torch.empty_like(x), torch.empty_like(x)
    casts[(1,)](x, bf16, fp8, x.numel())
    return bf16, fp8


torch.manual_seed(0)
noise = torch.rand(1024) + 1
bf16, _ = interpret(noise)
rounded = noise.bfloat16().float()
cut = (noise.view(torch.int32) & -65536).view(torch.float32)
few = torch.tensor([500.0, 1e5, -1e5, 0.3125])
_, fp8 = interpret(few)
differ = (bf16 != rounded).float().mean().item()
print("triton", triton.__version__, "torch", torch.__version__, "interpreter on the CPU")
print("Guess: bfloat16 as PyTorch rounds; 500 and 100000 in e4m3 are 448.")
print("Seen:")
print(f"  {100 * differ:.0f} % of 1024 values in [1, 2) differ from PyTorch's bfloat16")
print("  all equal to the value with its low 16 bits set to zero:", torch.equal(bf16, cut))
print("  e4m3 of", few.tolist(), "is", fp8.tolist())
same = 0.4 < differ < 0.6 and torch.equal(bf16, cut) and fp8.tolist() == [256.0, 384.0, -384.0, 0.3125]
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
