"""``python -m tests.fuzz``: feeds damaged inputs to every loader; exit code 1 if one of them crashes."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.harness import Crash, fuzz
from tests.fuzz.loaders import LOADERS, shares


def main() -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=f"{__doc__} Seconds are of the processor."
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="at least so many in all")
    parser.add_argument("--each", type=int, help="so many for each loader, in place of --inputs")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument(
        "--only", default="", help="loaders whose name has one of these, with | between, in it"
    )
    parser.add_argument("--keep", type=Path, help="folder for inputs that crash")
    asked = parser.parse_args()
    loaders = [each for each in LOADERS if any(name in each.name for name in asked.only.split("|"))]
    if not loaders:
        parser.error(f"no loader has {asked.only!r} in its name: {[each.name for each in LOADERS]}")
    crashes: list[Crash] = []
    total = 0
    print(
        f"{'loader':<28}{'inputs':>8}{'accepted':>10}{'refused':>9}{'crashes':>9}{'seconds':>9}{'slowest':>9}"
    )
    counts = (
        [(each, asked.each) for each in loaders] if asked.each else shares(asked.inputs, loaders)
    )
    for loader, count in counts:
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            tally, found = fuzz(loader, count, asked.seed, Path(folder))
        seconds = time.process_time() - start
        total += tally.inputs + len(found)
        numbers = (
            f"{tally.inputs + len(found):>8}{tally.accepted:>10}{tally.refused:>9}{len(found):>9}"
        )
        print(f"{loader.name:<28}{numbers}{seconds:>9.1f}{tally.slowest:>9.2f}", flush=True)
        crashes += found
    distinct = {str(each).partition(": ")[2]: each for each in reversed(crashes)}
    for crash in distinct.values():
        print(f"crash: {crash}")
        if asked.keep:
            asked.keep.mkdir(parents=True, exist_ok=True)
            name = crash.loader.replace(" ", "-").replace("/", "-")
            (asked.keep / f"{name}-{crash.number}").write_bytes(crash.content)
    print(f"{total} inputs, {len(crashes)} crashes ({len(distinct)} kinds), seed {asked.seed}")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
