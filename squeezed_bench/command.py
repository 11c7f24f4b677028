"""The console script ``squeezed-bench``."""

import os

from bench.cli.main import main  # found, since Python imports squeezed_bench itself first

__all__ = ["main"]

# Launchers begin processes by python -m, which would look into the folder of the user before anything else.
os.environ.setdefault("PYTHONSAFEPATH", "1")
