"""Compiles every Triton kernel for a GPU that need not be there, from the launches the backend makes.

The interpreter accepts much that the compiler refuses. Run by ``test_compiles.py`` in a process of its own.
"""

import inspect
import sys

import torch
import triton
from squeezed_kernels.triton import ops
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

TYPES = {
    torch.bfloat16: "*bf16", torch.float16: "*fp16", torch.float32: "*fp32", torch.uint8: "*u8",
    torch.int32: "*i32", torch.int64: "*i64",
}  # fmt: skip
compiled = set()


def compile_only(self, *args, grid, warmup, num_warps=4, **kwargs):
    """Takes the place of a launch."""
    given = inspect.signature(self.fn).bind(*args, **kwargs).arguments
    signature, constants = {}, {}
    for number, (name, value) in enumerate(given.items()):
        # As a launch does: integers of 1 become constants.
        parameter = self.params[number]
        one = type(value) is int and value == 1 and not parameter.do_not_specialize
        if parameter.is_constexpr or one:
            signature[name] = "constexpr"
            constants[(number,)] = value
        elif isinstance(value, torch.Tensor):
            signature[name] = TYPES[value.dtype]
        else:
            signature[name] = "i32" if type(value) is int else "fp32"
    source = ASTSource(fn=self, signature=signature, constexprs=constants)
    triton.compile(
        source, target=GPUTarget("cuda", int(sys.argv[1]), 32), options={"num_warps": num_warps}
    )
    compiled.add(self.fn.__name__)


def main():
    triton.JITFunction.run = compile_only
    for length, share, dtype in ((1, 4, torch.bfloat16), (40, 2, torch.float16)):
        query = torch.zeros(2, 2 * share, length, 128, dtype=dtype)
        keys = torch.zeros(2, 400, 128, dtype=dtype)
        keep = torch.zeros(2, 2, 1, 20, dtype=torch.bool)
        offsets, counts = (torch.zeros(2, n, dtype=torch.int32) for n in (21, 20))
        valid = None if length == 1 else torch.ones(2, length, dtype=torch.bool)
        options = {"candidates": keep, "valid": valid, "softcap": 30.0 if length > 1 else None}
        ops.lookup(query, keys[:, :20], counts, 0.1, **options)
        ops.lookup(query, keys[:, :20], counts, 0.1, reduce="max")
        part = ops.attend_groups(query, keys, keys, keep, offsets, 0.1)
        ops.merge(part, ops.attend(query, keys[None], keys[None], None, 0.1))
        ops.assign(keys, keys[:, :20])
        codes = torch.zeros(2, 400, 16, dtype=torch.uint8)
        weights, base = (torch.zeros(2, 2 * share, length, n) for n in (128, 20))
        ops.lookup_codes(weights, base, codes, offsets, valid=valid)
    one = torch.zeros(1, 1, 1, 32)  # everything that can be 1 is
    ops.attend(one, one, one, one[..., :1] == 0, 0.1)
    ops.lookup(one, one[0], torch.ones(1, 1, dtype=torch.int32), 0.1)
    print(" ".join(sorted(compiled)))


if __name__ == "__main__":
    main()
