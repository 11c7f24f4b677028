"""How a GGUF file is read, as a number: it counts up where a fault is mended that changed tokens or logits.

A model that was converted by a former reading is converted anew, and has another identity in records.
"""

from rows.gguf import pre_tokenizer
from rows.gguf.header import Header

# Sizes of a model whose scores are scaled by its width and not by its head size: architecture and layers.
SCALED_BY_WIDTH = frozenset({("gemma2", 46), ("gemma3", 62)})
# Of which transformers leaves keys out (bench/models/gguf_config.py puts them right).
_LEFT_OUT = frozenset({"falcon", "nemotron", "phi3", "stablelm", "starcoder2"})


def version(header: Header) -> int:
    """The number of the reading that makes a file's tokens and model today: 2 where 1 was wrong."""
    values = header.values
    tokens = pre_tokenizer.was_mended(values, header.architecture)
    sizes = (header.architecture, values.get(f"{header.architecture}.block_count"))
    return 2 if tokens or header.architecture in _LEFT_OUT or sizes in SCALED_BY_WIDTH else 1
