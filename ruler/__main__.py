"""``python -m ruler``: writes the rows of RULER tasks as files. ``--help`` lists the keys."""

import sys

from ruler.config import RulerConfig, register
from rows.command import Command


def _work(settings: RulerConfig) -> None:
    from ruler.files import run  # late: a wrong setting is refused without it

    run(settings)


COMMAND = Command("ruler", RulerConfig, "files go", register, _work)

if __name__ == "__main__":
    sys.exit(COMMAND.main())
