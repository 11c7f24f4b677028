"""The model ``squeezed``, where lm-evaluation-harness finds it by its entry point."""

# Found, since Python imports squeezed_bench itself first.
from bench.harness.model import SqueezedLM

__all__ = ["SqueezedLM"]
