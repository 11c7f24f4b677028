"""``python -m ruler``: writes the rows of RULER tasks as files. ``--help`` lists the keys."""

import sys

from rows.command import Command
from ruler.config import RulerConfig, register


def _work(settings: RulerConfig) -> None:
    from ruler.files import run  # late: a wrong setting is refused without it

    run(settings)


COMMAND = Command("ruler", RulerConfig, "files go", register, _work)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
