#!/usr/bin/env bash
# Title: safetensors 0.8.0 saves a transposed or strided NumPy array with its values in the wrong order.
#
# One would expect: load_file(save_file(x)) gives x. Or an error, as the torch side raises for tensors
#   that are not contiguous.
# What happens: the right shape with scrambled values. The memory is written as it lies, without looking
#   at the strides. No error, no warning. Release 0.7.0 saved the same arrays rightly.
# Why it matters: centroids, PCA bases and key sketches come out of NumPy, SciPy and scikit-learn as
#   transposed (Fortran order) arrays all the time. Shape, dtype and checksum of the file are all fine,
#   and the lookup just scores badly.
# How sure: certain. x[:, ::2] and x.T both fail; np.ascontiguousarray(x) before saving helps.
# Versions: safetensors 0.8.0 (0.7.0 for comparison), numpy 2.4.6.
# Source: https://github.com/safetensors/safetensors/issues/825
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --target "$tmp/before" safetensors==0.7.0
cat > "$tmp/probe.py" <<'PY'
import os
import sys
import tempfile

import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

table = np.arange(12, dtype=np.float32).reshape(3, 4)
arrays = {"plain": table, "transposed": table.T, "every second column": table[:, ::2]}
right = {}
print("safetensors", safetensors.__version__, "numpy", np.__version__)
with tempfile.TemporaryDirectory() as folder:
    for name, array in arrays.items():
        path = os.path.join(folder, "x.safetensors")
        save_file({"x": array}, path)
        loaded = load_file(path)["x"]
        right[name] = loaded.shape == array.shape and bool(np.array_equal(loaded, array))
        print(f"  {name}: shape kept {loaded.shape == array.shape}, values kept {right[name]}")
        if not right[name]:
            print("    saved ", array.tolist())
            print("    loaded", loaded.tolist())
expected = [True, True, True] if sys.argv[1] == "all" else [True, False, False]
sys.exit(0 if list(right.values()) == expected else 1)
PY
echo "Guess: all three come back as they were."
echo "Seen:"
if "$tmp/venv/bin/python" "$tmp/probe.py" first && PYTHONPATH="$tmp/before" "$tmp/venv/bin/python" "$tmp/probe.py" all; then
  echo "Still so."
else
  echo "CHANGED: the behaviour is another one now."
  exit 1
fi
