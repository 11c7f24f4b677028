"""``python -m squeezed inspect FOLDER``: what a stored index holds. Needs no model.
``python -m squeezed check``: which models are exact, and why others are refused (``squeezed.check.command``).

Exit codes: 0 done, 2 bad input (no such folder, a damaged index, another format version).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from squeezed.check import command as check_command
from squeezed.diagnostics.inspection import inspect, to_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["check"]:
        return check_command.main(given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m squeezed", description="Tools for stored fixed contexts, and for models."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("inspect", help="print what a stored index holds")
    command.add_argument("folder", type=Path, help="folder that FixedContext.save wrote")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    commands.add_parser("check", help="say which models are reproduced exactly, and why not")
    asked = parser.parse_args(given)
    try:
        report = inspect(asked.folder)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=1) if asked.json else to_text(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
