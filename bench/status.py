"""``python -m bench.status``: the door to ``bench.cli.status``."""

import sys

from bench.cli.status import main

if __name__ == "__main__":
    sys.exit(main())
