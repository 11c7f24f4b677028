"""``python -m tests.injuries``: injures the paid path, and runs of the bench; exit code 1 at any loss."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.injuries.kinds import INJURIES


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.injuries", description=__doc__)
    parser.add_argument(
        "--tries", type=int, default=20, help="of most kinds; cheap ones get more, slow ones fewer"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    parser.add_argument(
        "--only", default="", help="injuries whose name has one of these, with | between, in it"
    )
    asked = parser.parse_args()
    print("| injury | tried | survived | lost | leaked | paid twice | at most |")
    print("|:--|--:|--:|--:|--:|--:|--:|")
    bad = 0
    for name, (injure, times) in INJURIES.items():
        if not any(each in name for each in asked.only.split("|")):
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = injure(max(1, round(asked.tries * times)), asked.seed, Path(folder))
        numbers = (
            found.tried,
            found.survived,
            found.lost,
            found.leaked,
            found.twice,
            found.allowed,
        )
        print(f"| {name} | {' | '.join(map(str, numbers))} |", flush=True)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
        bad += found.survived < found.tried or found.twice > found.allowed
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
