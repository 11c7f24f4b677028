"""A large block that is freed and asked for again costs no page faults."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from bench.timing.memory import keep_freed

if sys.argv[1] == "kept":
    assert keep_freed()
for _ in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        len(sys.argv[0][:1] * 2**26)  # 64 MB, written
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_memory_is_not_asked_for_again() -> None:
    assert faults("kept") < faults("as it is") / 2  # mostly none, of a page each
