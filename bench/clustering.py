"""``python -m bench.clustering``: the door to ``bench.timing.kmeans``."""

import sys

from bench.timing.kmeans import main

if __name__ == "__main__":
    sys.exit(main())
