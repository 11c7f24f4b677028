"""The triton backend: kernels for GPUs, which also run in Triton's interpreter."""
