"""What is measured: settings as the user gives them, checked, and the shapes they mean."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.config.errors import InputError
from bench.config.plain import setting

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
ITEM_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
LENGTHS = {
    "cpu": (8192, 16384, 32768, 65536, 131072, 262144),
    # The lengths with a target come first: a run that must stop early has them.
    "cuda": (131072, 524288, 8192, 32768, 262144, 1048576),
}
HEADS = {"cpu": ("32/8", "8/8"), "cuda": ("32/32", "32/8")}
QUERY_TOKENS = {"cpu": (1,), "cuda": (1, 4096, 1024)}
SPARSITY = (0.9,)
DTYPE = {"cpu": "float32", "cuda": "bfloat16"}
HEAD_SIZE, FRACTION, DEPTHS = 128, 0.05, (1, 2)  # of random keys
COARSE = 5  # fine clusters of a coarse one: 1 % over 5 %
WINDOW = 100
RANDOM = "random"  # keys that are clustered by construction


@dataclass(frozen=True)
class Shape:
    """One problem: ``length`` keys of ``size`` numbers, ``tokens`` queries.

    ``source``: ``random``, with the share of clusters where it is not the usual one; or the name of a stored
    index, with ``index``, the start of its checksum, and ``layer``, by its place among the index's layers.
    """

    length: int
    query_heads: int
    kv_heads: int
    size: int
    tokens: int
    sparsity: float
    depth: int
    dtype: str
    source: str = RANDOM
    index: str = ""
    layer: int | None = None

    @property
    def group(self) -> int:
        """Query heads that share a KV head."""
        return self.query_heads // self.kv_heads

    @property
    def title(self) -> str:
        """For one line of progress."""
        of = "" if self.layer is None else f"{self.source}, layer {self.layer}: "
        return (
            f"{of}{self.length} keys, {self.query_heads}/{self.kv_heads} heads of {self.size}, "
            f"{self.tokens} query tokens, sparsity {self.sparsity}, depth {self.depth}, {self.dtype}"
        )

    def key_bytes(self) -> int:
        """Bytes of one key."""
        return self.size * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Settings:
    """Settings of a run; an empty list, or null, means the default of the device."""

    results: Path = setting(Path("results"), "folder of results; CSV and figures go to its kernels")
    device: str = setting("auto", "what is measured", DEVICES)
    dtype: str | None = setting(None, "of keys and values", tuple(ITEM_BYTES))
    source: list[Path] = setting([], "folders of stored indexes; none: random keys")
    layers: list[int] = setting([], "of a stored index, by their place in it; none: all")
    lengths: list[int] = setting([], "random keys")
    heads: list[str] = setting([], "query heads and KV heads of random keys, as 32/8")
    head_size: int | None = setting(None, "numbers of a random key; null: 128")
    query_tokens: list[int] = setting([], "tokens that ask at once; 1 is decode")
    sparsity: list[float] = setting([], "share of the keys that is left out; none: 0.9")
    depth: list[int] = setting([], "1, or 2 for a lookup with a coarse level; none: all there are")
    fraction: float | None = setting(None, "clusters as a share of random keys; null: 0.05")
    threads: int | None = setting(None, "of the CPU; null: as many as torch takes")
    seconds: float = setting(4.0, "of timing for each shape")
    minutes: float | None = setting(None, "no new shape is begun after that; null: no limit")
    clustering: bool = setting(True, "time K-means too")
    model: bool | None = setting(None, "time a whole random model too; null: on a GPU only")
    fresh: bool = setting(False, "measure again what the CSV has already")

    @property
    def out(self) -> Path:
        """Folder of the CSV and the figures."""
        return self.results / "kernels"


def check(settings: Settings) -> None:
    """Checks what can be told without torch.

    Raises:
        InputError: a setting that cannot be measured; the message names it.
    """
    if settings.source:
        for name in ("lengths", "heads", "head_size", "fraction"):
            if getattr(settings, name) not in (None, []):
                raise InputError(f"{name} is given beside source; a stored index has its own")
    elif settings.layers:
        raise InputError("layers are given without source; random keys have none")
    if settings.head_size is not None and not 1 <= settings.head_size <= 256:
        raise InputError(f"head_size is {settings.head_size}; expected 1 to 256")
    if settings.fraction is not None and not 0 < settings.fraction < 1:
        raise InputError(f"fraction is {settings.fraction}; expected a number between 0 and 1")
    for name in ("seconds", "minutes", "threads"):
        value = getattr(settings, name)
        if value is not None and not value > 0:
            raise InputError(f"{name} is {value}; expected a number above 0")
    for heads in settings.heads:
        _heads(heads)
    for length in settings.lengths:
        if length < 40 * WINDOW:
            raise InputError(f"a length is {length}; expected at least {40 * WINDOW} keys")
    for tokens in settings.query_tokens:
        if tokens < 1:
            raise InputError(f"query_tokens is {tokens}; expected at least 1")
    for share in settings.sparsity:
        if not 0 <= share < 1:
            raise InputError(f"sparsity is {share}; expected a number in [0, 1)")
    for depth in settings.depth:
        if depth not in (1, 2):
            raise InputError(f"depth is {depth}; expected 1 or 2")


def device_of(settings: Settings) -> "torch.device":
    """The device to measure.

    Raises:
        InputError: it is not there.
    """
    import torch  # late: settings are checked without it

    if settings.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch finds no CUDA device")
    cuda = settings.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if cuda else "cpu")


def shapes(settings: Settings) -> list[Shape]:
    """All combinations of random keys, in the order in which they are to be measured.

    Raises:
        InputError: as ``check`` and ``device_of``.
    """
    check(settings)
    kind = device_of(settings).type
    dtype = settings.dtype or DTYPE[kind]
    size, fraction = settings.head_size or HEAD_SIZE, settings.fraction or FRACTION
    source = RANDOM if fraction == FRACTION else f"{RANDOM}, {fraction:g} clusters"
    return [
        Shape(length, *_heads(heads), size, tokens, sparsity, depth, dtype, source)
        for tokens in settings.query_tokens or QUERY_TOKENS[kind]
        for length in settings.lengths or LENGTHS[kind]
        for heads in settings.heads or HEADS[kind]
        for sparsity in settings.sparsity or SPARSITY
        for depth in settings.depth or DEPTHS
    ]


def _heads(text: str) -> tuple[int, int]:
    query, _, kv = str(text).partition("/")
    if not (query.isdigit() and kv.isdigit()) or int(kv) < 1 or int(query) % int(kv):
        raise InputError(
            f"heads is {text!r}; expected QUERY/KV such as 32/8, the first a multiple of the second"
        )
    return int(query), int(kv)
