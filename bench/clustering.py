"""``python -m bench.clustering``: the door to ``bench.timing.command``."""

import sys

from bench.timing.command import main

if __name__ == "__main__":
    sys.exit(main())
