"""``python -m bench.skew``: the door to ``bench.cli.heads``."""

import sys

from bench.cli.heads import main

if __name__ == "__main__":
    sys.exit(main())
