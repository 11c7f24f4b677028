"""Kernel timings: sparse against dense attention, against the hardware, gated on correctness.

Runs where Hydra, pandas and the models' libraries are absent: ``python -m bench.kernels``.
"""
