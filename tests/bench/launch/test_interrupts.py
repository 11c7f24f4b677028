"""Processes that a launcher starts do not see Ctrl-C: whoever started them ends them."""

import subprocess
import sys

import pytest

PROGRAM = """
import signal
import joblib
from bench.launch.interrupts import only_here

with only_here():
    masks = joblib.Parallel(2)(joblib.delayed(signal.pthread_sigmask)(signal.SIG_BLOCK, []) for _ in "ab")
print([signal.SIGINT in mask for mask in masks])
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""


def test_joblibs_workers_do_not_see_it() -> None:
    """In a new Python: joblib starts a process of its own first, which once let the signal through again."""
    pytest.importorskip("joblib")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines() == ["[True, True]", "False"], done.stderr
