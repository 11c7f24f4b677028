#!/usr/bin/env bash
# Title: np.sum and np.mean inside numba stop counting float32 values at 16,777,216.
#
# One would expect: np.sum in a jitted function agrees with NumPy's to rounding. It is the same call.
# What happens: numba adds one value after the other in float32. NumPy adds in pairs. The sum of 20 million
#   ones is 16,777,216 in numba, and their mean is 0.8389. With 10 million random numbers in [0, 1) the
#   error is some hundred times NumPy's.
# Why it matters: a CPU loop over long contexts sums weights over heads, queries and a million keys. A
#   shared np.mean over them is quietly too small. Tests on short inputs pass.
# How sure: certain on the loop that numba compiles by default. A sum in float64 (np.sum(x.astype(np.float64))
#   or an accumulator that starts as 0.0) is right.
# Versions: numba 0.68.1, numpy 2.4.6.
# Source: https://github.com/numba/numba/issues/2855, https://github.com/numba/numba/issues/3702
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
cat > "$tmp/probe.py" <<'PY'
import sys

import numba
import numpy as np


@numba.njit
def total(x):
    return np.sum(x)


@numba.njit
def mean(x):
    return np.mean(x)


@numba.njit
def wide(x):
    s = 0.0
    for value in x:
        s += value
    return s


ones = np.ones(20_000_000, np.float32)
noise = np.random.default_rng(0).random(10_000_000, dtype=np.float32)
exact = noise.astype(np.float64).sum()
error_numba, error_numpy = abs(total(noise) - exact), abs(float(noise.sum()) - exact)
print("numba", numba.__version__, "numpy", np.__version__)
print("Guess: 20000000 and 1.0 in both.")
print("Seen, 20 million ones:")
print(f"  numpy sum {float(ones.sum()):.0f}, mean {float(ones.mean()):.4f}")
print(f"  numba sum {total(ones):.0f}, mean {mean(ones):.4f}, sum that starts as 0.0: {wide(ones):.0f}")
print(f"  10 million random numbers: error {error_numba:.2f} in numba, {error_numpy:.2f} in numpy")
same = (total(ones) == 2 ** 24 and abs(mean(ones) - 2 ** 24 / 2e7) < 1e-6 and ones.sum() == 2e7
        and wide(ones) == 2e7 and error_numba > 10 * error_numpy)
print("Still so." if same else "CHANGED: the behaviour is another one now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py"
