"""``python -m prefixqa``: makes a PreFixQA set. ``--help`` lists the keys."""

import sys

from prefixqa.config import PrefixqaConfig, register
from rows.command import Command


def _work(settings: PrefixqaConfig) -> None:
    from prefixqa.make import make  # late: a wrong setting is refused without it

    make(settings)


COMMAND = Command("prefixqa", PrefixqaConfig, "set goes", register, _work)
main = COMMAND.main

if __name__ == "__main__":
    sys.exit(main())
