"""``python -m bench.kernels``: the door to ``bench.timing.kernels.command``."""

import sys

from bench.timing.kernels.command import main

if __name__ == "__main__":
    sys.exit(main())
