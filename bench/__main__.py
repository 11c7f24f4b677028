"""``python -m bench``: the door to ``bench.cli.run``."""

import sys

from bench.cli.run import main

if __name__ == "__main__":
    sys.exit(main())
