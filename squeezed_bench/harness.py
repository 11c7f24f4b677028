"""The model ``squeezed``, where lm-evaluation-harness finds it by its entry point."""

from bench.harness.model import (
    SqueezedLM,
)  # found, since Python imports squeezed_bench itself first

__all__ = ["SqueezedLM"]
