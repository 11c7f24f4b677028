"""A GGUF file as a model: converted once into a checkpoint folder, which then loads in seconds.

transformers reads a GGUF by turning every block of numbers into floats, each time anew. Here that is done
once. Each tensor is stored in the smallest type that holds its numbers exactly: 16 bits for those that the
file has as 16 bits, 32 for those that were quantised (scale times level plus offset needs more than 16).
"""

import contextlib
import functools
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.models import checkpoint, gguf_config
from rows.gguf import kept, reading
from rows.gguf.header import GgufError, Header, read_header
from rows.gguf.tokenizer import read_tokenizer

PACKAGES = ("gguf", "accelerate")
INSTALL = "pip install 'squeezed-attention-bench[gguf]'"
# Keys and tensors that say how RoPE is scaled. transformers reads them for these architectures only; for
# others it would leave the scaling out without a word.
SCALED = ("rope.scaling.type", "rope.scaling.factor", "rope.scale_linear")
SCALED_TENSORS = ("rope_freqs", "rope_factors")
READS_SCALED = ("gpt-oss", "gpt_oss")


def check(path: Path) -> Header:
    """Checks a GGUF file by its head, in an instant.

    Raises:
        ValueError: packages are missing that reading one needs; or as ``rows.gguf.header.read_header``.
        FileNotFoundError: there is no such file.
    """
    require_packages(path)
    header = read_header(path)
    prefix = f"{header.architecture}."
    types = [header.values.get(prefix + key) for key in SCALED]
    scaled = any(found not in (None, "", "none", 0, 1.0) for found in types) or any(
        part.startswith(SCALED_TENSORS)
        for tensor in header.tensors
        for part in tensor.name.split(".")
    )
    if scaled and header.architecture not in READS_SCALED:
        raise GgufError(
            f"{path}: the RoPE of this {header.architecture} is scaled, and transformers leaves that out "
            "when it reads a GGUF file, so its answers would be wrong; use the checkpoint as a folder"
        )
    return header


def local(path: Path, packages: tuple[str, ...] = ()) -> Path:
    """The folder of a GGUF file's model, converted now if it has not been before.

    Args:
        packages: that the file came from, with versions; kept beside the model.

    Raises:
        ValueError, FileNotFoundError: as ``check``, or it holds no causal LM that transformers reads.
        OSError: the folder of models cannot be written, or is full.
    """
    header = check(path)
    found, wanted = kept.folder_of(kept.sha256_of(path)), reading.version(header)
    if kept.is_there(found, wanted):
        return found
    _require_known(path, header.architecture)
    with kept.held(found.name):
        if not kept.is_there(found, wanted):  # another process may have made it meanwhile
            _make(path, header, found, packages)
    return found


def require_packages(path: Path | str) -> None:
    """Checks that the packages are there that reading a GGUF file needs.

    Raises:
        ValueError: one is not; names the extra that brings it.
    """
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise ValueError(
            f"{path}: reading a GGUF file needs the packages {' and '.join(PACKAGES)}, and there is no "
            f"{' and no '.join(missing)}: {INSTALL}"
        )


def _make(path: Path, header: Header, folder: Path, packages: tuple[str, ...]) -> None:
    """Makes a model's folder: all of it appears, or nothing."""
    making = f".making-{folder.name}-"
    for rest in folder.parent.glob(f"{making}*"):  # of a process that was killed; the lock is held
        shutil.rmtree(rest, ignore_errors=True)
    need, free = 4 * header.items, shutil.disk_usage(folder.parent).free
    if need > free:
        raise OSError(
            f"{path.name} takes up to {need / 1e9:.1f} GB when converted, and {folder.parent} has "
            f"{free / 1e9:.1f} GB free; make room, or set SQUEEZED_MODELS to another folder"
        )
    tqdm.write(f"converting {path.name} to {folder}, once; {header.items / 1e6:.0f} M numbers")
    work = Path(tempfile.mkdtemp(prefix=making, dir=folder.parent))
    try:
        _convert(path, header, work)
        import transformers

        values = header.values
        kept.write_origin(
            work,
            kept.Origin(
                file=path.name,
                sha256=kept.sha256_of(path),
                size=path.stat().st_size,
                name=str(values.get("general.name", "")),
                licence=str(values.get("general.license", "")),
                packages=packages,
                transformers=transformers.__version__,
                reading=reading.version(header),
            ),
        )
        # Temporary folders, and what safetensors writes, are for their owner alone.
        work.chmod(0o755)
        for each in work.iterdir():
            each.chmod(0o644)
        if folder.exists():  # made by a former reading, which was wrong
            shutil.rmtree(folder)
        work.replace(folder)
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(work)


def _convert(path: Path, header: Header, folder: Path) -> None:
    """Writes tokenizer, configuration and weights of a GGUF file as a checkpoint."""
    import torch
    from transformers import AutoConfig

    place = {"pretrained_model_name_or_path": str(path.absolute().parent), "gguf_file": path.name}
    config = _read(path, lambda: AutoConfig.from_pretrained(**place))
    checkpoint.require_loadable(config, "float32")
    _put_right(path, config, header)  # refuses before the slow part; the model has its own
    read_tokenizer(path).save_pretrained(folder)
    model, loading = _read(
        path,
        lambda: checkpoint.model_class(config).from_pretrained(
            **place, dtype=torch.float32, output_loading_info=True, **_unpacked()
        ),
    )
    if missing := sorted(loading["missing_keys"]):
        raise GgufError(
            f"{path} lacks {len(missing)} of the weights of a {config.model_type}, {missing[0]} among them"
        )
    own = {each.data_ptr(): each.numel() for each in model.state_dict().values()}  # tied ones once
    if (rest := header.items - sum(own.values())) > 0:  # left out by transformers, without a word
        raise GgufError(
            f"{path}: transformers' {config.model_type} has no place for {rest:,} of its numbers, so its "
            "answers would be wrong; use the checkpoint as a folder"
        )
    _put_right(path, model.config, header)
    for weight in model.parameters():
        weight.data = _smallest(weight.data)
    # Nothing is quantised now, but save_pretrained would refuse while the configuration says so.
    model.config.__dict__.pop("quantization_config", None)
    model.hf_quantizer = None
    model.config.dtype = torch.float32
    model.save_pretrained(folder)


def _put_right(path: Path, config: Any, header: Header) -> None:
    try:
        gguf_config.put_right(config.get_text_config(), header)
    except GgufError as error:
        raise GgufError(f"{path}: {error}") from None


def _unpacked() -> dict[str, Any]:
    """What asks for plain weights, where transformers would keep some architectures' blocks packed."""
    try:
        from transformers import GgufConfig
    except ImportError:  # older versions, which unpack all
        return {}
    return {"quantization_config": GgufConfig(dequantize=True)}


def _smallest(weight: Any) -> Any:
    """The numbers in 16 bits if those hold all of them exactly, else as they are (float32)."""
    import torch

    for dtype in (torch.bfloat16, torch.float16):
        if torch.equal((small := weight.to(dtype)).float(), weight):
            return small
    return weight


def _read(path: Path, step: Any) -> Any:
    """Runs a step of transformers' reading; its errors, of many kinds, become one line."""
    try:
        return step()
    except (MemoryError, OSError):
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise GgufError(f"{path}: transformers cannot read it: {reason[0]}") from error


def _require_known(path: Path, architecture: str) -> None:
    """Refuses an architecture that transformers does not read; else it says so after a slow read only."""
    known = _architectures()
    if known and _plain(architecture) not in known:
        raise GgufError(
            f"{path}: transformers reads no GGUF file of the architecture {architecture!r}; use the "
            "checkpoint as a folder"
        )


@functools.cache
def _architectures() -> frozenset[str]:
    """Architectures of GGUF files that the installed transformers reads; empty if it does not tell."""
    found: set[str] = set()
    with contextlib.suppress(ImportError):
        from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

        found |= set(GGUF_SUPPORTED_ARCHITECTURES)
    with contextlib.suppress(ImportError):
        from transformers.integrations.gguf import GGUF_CONFIG_ARCHS

        found |= set(GGUF_CONFIG_ARCHS)
    return frozenset(map(_plain, found - {"general", "tokenizer"}))


def _plain(architecture: str) -> str:
    """An architecture's name without the marks in which llama.cpp and transformers differ."""
    return architecture.replace("-", "").replace("_", "")
