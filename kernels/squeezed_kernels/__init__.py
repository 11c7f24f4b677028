"""The engine's few numeric operations and their backends.

``reference`` (plain PyTorch) is the specification that every other backend is tested against. The folder is
called ``kernels``; the import name is ``squeezed_kernels``, because a package importable as ``kernels``
would hide the Hugging Face package of that name and break ``import transformers``.
"""

from squeezed_kernels.reference import attend, causal_mask, lookup, merge

__all__ = ["attend", "causal_mask", "lookup", "merge"]
