"""``python -m squeezed_bench``: what ``squeezed-bench`` does, where only Python is on the path."""

import sys

from squeezed_bench.command import main

if __name__ == "__main__":
    sys.exit(main())
