"""PQCache (Zhang et al., arXiv 2407.12820): keys as codes of a product quantiser."""

from dataclasses import dataclass

import torch

from squeezed.clustering import euclidean_kmeans, nearest
from squeezed.index.layer import LayerIndex
from squeezed.methods.sketched import Sketch, SketchedMethod, as_it_is

CENTROID_BYTES = 2  # of an entry of a codebook, as bfloat16


@dataclass(frozen=True)
class PQCache(SketchedMethod):
    """Keys are cut into parts, and each part is replaced by the nearest of ``2 ** bits`` centroids.

    A logit is the sum of one table entry a part. Logits of the codes' keys are computed here from the keys
    that the codes stand for, which gives the same numbers; what is counted is codes and codebooks.

    Attributes:
        parts: a key is cut into. bits: of a part's code. sinks: first keys, which are not coded.
        iterations: of K-means (Euclidean). seed: of its start.

    Raises:
        ValueError: a number out of range.
    """

    sinks: int = 32
    parts: int = 2
    bits: int = 6
    iterations: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.parts < 1:
            raise ValueError(f"parts is {self.parts}; expected at least 1")
        if not 1 <= self.bits <= 12:
            raise ValueError(f"bits is {self.bits}; expected 1 to 12")
        if self.iterations < 0:
            raise ValueError(f"iterations is {self.iterations}; expected 0 or more")

    def sketch(self, layer: LayerIndex) -> Sketch:
        keys = layer.keys[:, : layer.clustered].to(layer.device)
        coded = layer.positions >= min(self.sinks, layer.clustered - 1)
        found = torch.empty_like(keys)
        for head, own in enumerate(keys.float()):
            points = own[coded[head]]
            parts = points.tensor_split(self.parts, dim=1)
            books = [
                euclidean_kmeans(part, 2**self.bits, self.iterations, self.seed) for part in parts
            ]
            codes = [nearest(part, book) for part, book in zip(parts, books, strict=True)]
            found[head] = own
            found[head, coded[head]] = decoded(codes, books).to(keys.dtype)
        return Sketch(found, as_it_is)

    def sketch_bytes(self, layer: LayerIndex) -> float:
        codes = layer.clustered * self.parts * self.bits / 8
        return codes + 2**self.bits * layer.keys.shape[2] * CENTROID_BYTES


def decoded(codes: list[torch.Tensor], books: list[torch.Tensor]) -> torch.Tensor:
    """What codes ``[P]`` of all parts stand for, ``[P, D]``."""
    return torch.cat([book[code] for code, book in zip(codes, books, strict=True)], dim=1)
