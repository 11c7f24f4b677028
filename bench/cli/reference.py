"""``make reference``: the reference studies remade from their committed records, or one packed anew.

python -m bench.cli.reference                             remake all of results/reference
python -m bench.cli.reference NAME --study KIND --group GROUP --results DIR
                                                          pack the runs of a group below DIR/runs first
"""

import argparse
import sys
from pathlib import Path

from bench.config.errors import InputError, RunError, fail
from bench.reporting.leaderboard.rows import leaderboard, load_runs
from bench.reporting.reference import REFERENCE, pack, remake, studies
from bench.reporting.reference.write import RECORDS
from bench.reporting.tables import overview


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 0 done, 1 damaged records, 2 bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.cli.reference",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", help="the study to pack; without it, all are remade")
    parser.add_argument("--study", help="what to make of it; default: as its README says")
    parser.add_argument("--group", help="the group of runs, as the report names it")
    parser.add_argument("--results", type=Path, default=Path("results"), help="of the runs")
    parser.add_argument("--reference", type=Path, default=REFERENCE, help="folder of the studies")
    options = parser.parse_args(arguments)
    try:
        if options.name is not None and options.group is not None:
            runs = options.results / "runs"
            folder = options.reference / options.name
            pack(runs, _folders(runs, options.group), folder / RECORDS)
        names = [options.name] if options.name is not None else studies(options.reference)
        for name in names:
            for path in remake(options.reference / name, options.study):
                print(f"wrote {path}")
    except RunError as error:
        return fail(1, str(error))
    except (InputError, OSError) as error:
        return fail(2, str(error))
    return 0


def _folders(runs: Path, group: str) -> list[str]:
    """Folders of the runs of a group."""
    groups = dict(overview.groups(leaderboard(load_runs(runs))))
    if group not in groups:
        raise InputError(f"no group {group!r} in {runs}; there are: {', '.join(groups)}")
    return list(groups[group]["run"])


if __name__ == "__main__":
    sys.exit(main())
