"""``python -m longbench``: turns LongBench's data into rows. ``--help`` lists the keys."""

import sys

from longbench.config import LongBenchConfig, register
from rows.command import Command


def _work(settings: LongBenchConfig) -> None:
    from longbench.files import run  # late: a wrong setting is refused without it

    run(settings)


COMMAND = Command("longbench", LongBenchConfig, "files go", register, _work)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
