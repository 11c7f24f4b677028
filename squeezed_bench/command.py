"""The console script ``squeezed-bench``."""

from bench.cli.main import main  # found, since Python imports squeezed_bench itself first

__all__ = ["main"]
