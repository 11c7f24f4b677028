"""``python -m bench.prefixqa_judge``: the door to ``bench.cli.judge``."""

import sys

from bench.cli.judge import main

if __name__ == "__main__":
    sys.exit(main())
