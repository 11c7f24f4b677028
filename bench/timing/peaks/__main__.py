"""``python -m bench.timing.peaks``."""

import sys

from bench.timing.peaks.command import main

if __name__ == "__main__":
    sys.exit(main())
