"""Triton's compiler takes every kernel, on a machine without a GPU too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
KERNELS = (
    "add_up attend_share list_ranges logits_of_codes merge_parts merge_two nearest score_parts scores_again "
    "scores_of_kept sum_parts"
)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU every launch shows it")
def test_every_kernel_compiles_for_hopper():
    env = dict(os.environ, TRITON_INTERPRET="0", PYTHONPATH=str(ROOT / "kernels"))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("compile_all.py")), "90"],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == KERNELS
