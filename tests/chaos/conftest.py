"""The bench's random model and command line."""

from tests.bench.conftest import bench, tiny

__all__ = ["bench", "tiny"]
