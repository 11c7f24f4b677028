"""``squeezed-bench inspect FOLDER``: what a stored index holds, by ``python -m squeezed inspect``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bench.config.errors import InputError
from bench.config.guard import guarded

USAGE = """squeezed-bench inspect FOLDER [json=true], or python -m squeezed inspect FOLDER [json=true]

Prints what a stored index holds: sizes, settings, clusters, thresholds. FOLDER is one that
FixedContext.save wrote, for instance .cache/squeezed/KEY/index. Needs no model.

  json=false  print one JSON object

Exit codes: 0 done, 2 no such folder, or a damaged index."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)

    def work() -> int:
        if not given or {"-h", "--help"} & set(given):
            print(USAGE)
            return 0 if given else 2
        folders = [each for each in given if each not in ("json=true", "json=false")]
        if len(folders) != 1:
            raise InputError(f"expected one FOLDER and json=true or false, not {' '.join(given)}")
        if not Path(folders[0]).expanduser().is_dir():
            raise InputError(f"no folder {folders[0]}; expected one that FixedContext.save wrote")
        from squeezed.__main__ import main as inspect  # late: with torch

        return inspect(["inspect", *given])

    return guarded(work)
