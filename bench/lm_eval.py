"""``python -m bench.lm_eval``: the door to ``bench.cli.lm_eval``."""

import sys

from bench.cli.lm_eval import main

if __name__ == "__main__":
    sys.exit(main())
