"""Methods: which fixed-context rows a query attends to. A new method is one file here and one YAML."""

from squeezed.methods.base import Method
from squeezed.methods.full import Full
from squeezed.methods.oracle import Oracle
from squeezed.methods.squeezed import Squeezed
from squeezed.methods.streaming import StreamingLLM

METHODS: dict[str, type[Method]] = {
    "full": Full,
    "squeezed": Squeezed,
    "oracle": Oracle,
    "streaming": StreamingLLM,
}

__all__ = ["METHODS", "Full", "Method", "Oracle", "Squeezed", "StreamingLLM"]
