"""``python -m squeezed inspect FOLDER [json=true]``: what a stored index holds. Needs no model.
``python -m squeezed check``: which models are exact, and why others are refused (``squeezed.check.command``).

Exit codes: 0 done, 2 bad input (no such folder, a damaged index, another format version), 130 Ctrl-C.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from squeezed.check import command as check_command
from squeezed.diagnostics.inspection import inspect, to_text

USAGE = """python -m squeezed inspect FOLDER [json=true]

Prints what a stored index holds: sizes, settings, clusters, thresholds.

  FOLDER      the folder that FixedContext.save wrote
  json=false  print one JSON object

python -m squeezed check --help: which models the engine reproduces exactly."""
JSON = {"json=true": True, "json=false": False}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["check"]:
        return check_command.main(given[1:])
    if {"-h", "--help"} & set(given):
        print(USAGE)
        return 0
    folders = [each for each in given[1:] if each not in JSON]
    if given[:1] != ["inspect"] or len(folders) != 1:
        print(f"error: cannot read {' '.join(given)!r}; {USAGE.splitlines()[0]}", file=sys.stderr)
        return 2
    try:
        report = inspect(Path(folders[0]).expanduser())
    except KeyboardInterrupt:
        print("\nstopped; nothing was changed", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    as_json = any(JSON.get(each, False) for each in given)
    print(json.dumps(report, indent=1) if as_json else to_text(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
