"""``python -m bench.timing.lookups``."""

import sys

from bench.timing.lookups.command import main

if __name__ == "__main__":
    sys.exit(main())
