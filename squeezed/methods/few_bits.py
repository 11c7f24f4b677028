"""Keys in a few bits, as KIVI (Liu et al., arXiv 2402.02750) stores them, used to find keys."""

from dataclasses import dataclass

from torch.nn import functional

from squeezed.index.layer import LayerIndex
from squeezed.methods.sketched import Sketch, SketchedMethod, as_it_is, quantised

SCALE_BYTES = 4  # zero point and step, 16 bits each
BY = ("channel", "token")


@dataclass(frozen=True)
class FewBits(SketchedMethod):
    """Logits from keys with a few bits an entry. No published selector: the baseline of all sketches.

    Attributes:
        bits: of an entry. by: what shares a zero point and a step: a ``channel`` over ``group`` neighbouring
            tokens (KIVI), or all entries of a ``token``.
        group: tokens that a channel's step is shared by.

    Raises:
        ValueError: a number out of range or an unknown name.
    """

    bits: int = 2
    by: str = "channel"
    group: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.bits <= 8:
            raise ValueError(f"bits is {self.bits}; expected 1 to 8")
        if self.by not in BY:
            raise ValueError(f"by is {self.by!r}; expected one of {', '.join(BY)}")
        if self.group < 1:
            raise ValueError(f"group is {self.group}; expected at least 1 token")

    def sketch(self, layer: LayerIndex) -> Sketch:
        keys = layer.keys[:, : layer.clustered].to(layer.device)
        if self.by == "token":
            return Sketch(quantised(keys, self.bits, 2).to(keys.dtype), as_it_is)
        by_place = layer.in_place_order(keys).float()
        missing = -layer.clustered % self.group
        # The last group repeats its last key, which changes neither its smallest nor its largest entries.
        padded = functional.pad(by_place.transpose(1, 2), (0, missing), mode="replicate")
        groups = padded.transpose(1, 2).unflatten(1, (-1, self.group))
        coded = quantised(groups, self.bits, 2).flatten(1, 2)[:, : layer.clustered]
        places = layer.positions.long()[..., None].expand_as(coded)
        return Sketch(coded.gather(1, places).to(keys.dtype), as_it_is)

    def sketch_bytes(self, layer: LayerIndex) -> float:
        size = layer.keys.shape[2]
        shared = SCALE_BYTES if self.by == "token" else size * SCALE_BYTES / self.group
        return layer.clustered * (size * self.bits / 8 + shared)
