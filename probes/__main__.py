"""``python -m probes``: writes the rows of made sets as files. ``--help`` lists the keys."""

import sys

from probes.config import ProbesConfig, register
from rows.command import Command


def _work(settings: ProbesConfig) -> None:
    from probes.files import run  # late: a wrong setting is refused without it

    run(settings)


COMMAND = Command("probes", ProbesConfig, "files go", register, _work)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
