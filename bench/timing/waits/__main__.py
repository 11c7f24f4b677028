"""``python -m bench.timing.waits``."""

import sys

from bench.timing.waits.command import main

if __name__ == "__main__":
    sys.exit(main())
