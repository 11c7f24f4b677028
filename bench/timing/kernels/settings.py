"""What is measured: settings as the user gives them, checked, and the shapes they mean."""

from dataclasses import dataclass, field

import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
LENGTHS = {
    "cpu": (8192, 16384, 32768, 65536, 131072, 262144),
    # The lengths with a target come first: a run that must stop early has them.
    "cuda": (131072, 524288, 8192, 32768, 262144, 1048576),
}
HEADS = {"cpu": ("32/8", "8/8"), "cuda": ("32/32", "32/8")}
QUERY_TOKENS = {"cpu": (1,), "cuda": (1, 4096, 1024)}
DTYPE = {"cpu": "float32", "cuda": "bfloat16"}
COARSE = 5  # fine clusters of a coarse one: 1 % over 5 %
WINDOW = 100


@dataclass(frozen=True)
class Shape:
    """One problem: ``length`` keys of ``size`` numbers, ``tokens`` queries."""

    length: int
    query_heads: int
    kv_heads: int
    size: int
    tokens: int
    sparsity: float
    depth: int
    dtype: str

    @property
    def group(self) -> int:
        """Query heads that share a KV head."""
        return self.query_heads // self.kv_heads

    @property
    def title(self) -> str:
        """For one line of progress."""
        return (
            f"{self.length} keys, {self.query_heads}/{self.kv_heads} heads of {self.size}, "
            f"{self.tokens} query tokens, sparsity {self.sparsity}, depth {self.depth}, {self.dtype}"
        )

    def key_bytes(self) -> int:
        """Bytes of one key."""
        return self.size * DTYPES[self.dtype].itemsize


@dataclass
class Settings:
    """Settings of a run; an empty list, or null, means the default of the device.

    Attributes:
        device: auto, cpu or cuda. dtype: float32, bfloat16 or float16.
        lengths: keys. heads: ``query/kv``. query_tokens: 1 is decode. sparsity: share of keys left out.
        depth: 1, or 2 for a lookup with a coarse level. fraction: clusters as a share of the keys.
        threads: of the CPU; null: as many as torch takes.
        seconds: of timing for each shape. minutes: no new shape is begun after that; null: no limit.
        clustering: time K-means too. model: time a whole random model too (null: on a GPU only).
        out: folder of the CSV and the figures. fresh: measure again what the CSV has already.
    """

    device: str = "auto"
    dtype: str | None = None
    lengths: list[int] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    head_size: int = 128
    query_tokens: list[int] = field(default_factory=list)
    sparsity: list[float] = field(default_factory=lambda: [0.9])
    depth: list[int] = field(default_factory=lambda: [1, 2])
    fraction: float = 0.05
    threads: int | None = None
    seconds: float = 4.0
    minutes: float | None = None
    clustering: bool = True
    model: bool | None = None
    out: str = "results/kernels"
    fresh: bool = False


def device_of(settings: Settings) -> torch.device:
    """The device to measure.

    Raises:
        ValueError: unknown, or not there.
    """
    if settings.device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device is {settings.device!r}; expected auto, cpu or cuda")
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but torch finds no CUDA device")
    cuda = settings.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if cuda else "cpu")


def shapes(settings: Settings) -> list[Shape]:
    """All combinations, in the order in which they are to be measured.

    Raises:
        ValueError: a setting that cannot be measured; the message names it.
    """
    kind = device_of(settings).type
    dtype = settings.dtype or DTYPE[kind]
    if dtype not in DTYPES:
        raise ValueError(f"dtype is {dtype!r}; expected one of {', '.join(DTYPES)}")
    if not 1 <= settings.head_size <= 256:
        raise ValueError(f"head_size is {settings.head_size}; expected 1 to 256")
    if not 0 < settings.fraction < 1:
        raise ValueError(f"fraction is {settings.fraction}; expected a number between 0 and 1")
    if settings.seconds <= 0 or (settings.minutes is not None and settings.minutes <= 0):
        raise ValueError("seconds and minutes must be above 0")
    return [
        _checked(Shape(length, *_heads(heads), settings.head_size, tokens, sparsity, depth, dtype))
        for tokens in settings.query_tokens or QUERY_TOKENS[kind]
        for length in settings.lengths or LENGTHS[kind]
        for heads in settings.heads or HEADS[kind]
        for sparsity in settings.sparsity
        for depth in settings.depth
    ]


def _heads(text: str) -> tuple[int, int]:
    query, _, kv = str(text).partition("/")
    if not (query.isdigit() and kv.isdigit()) or int(kv) < 1 or int(query) % int(kv):
        raise ValueError(
            f"heads is {text!r}; expected QUERY/KV such as 32/8, the first a multiple of the second"
        )
    return int(query), int(kv)


def _checked(shape: Shape) -> Shape:
    if shape.length < 40 * WINDOW:
        raise ValueError(f"a length is {shape.length}; expected at least {40 * WINDOW} keys")
    if shape.tokens < 1:
        raise ValueError(f"query_tokens is {shape.tokens}; expected at least 1")
    if not 0 <= shape.sparsity < 1:
        raise ValueError(f"sparsity is {shape.sparsity}; expected a number in [0, 1)")
    if shape.depth not in (1, 2):
        raise ValueError(f"depth is {shape.depth}; expected 1 or 2")
    return shape
