"""Models by name: the embedded ``mini``, those that ``squeezed-bench models fetch`` brings, or any causal LM
from a folder, a GGUF file or the Hugging Face hub."""

from pathlib import Path
from typing import Any

from bench.config.collector import uncollected
from bench.models import checkpoint, gguf, packages
from rows.gguf.header import is_gguf

MINI = Path(__file__).parent / "mini"
NAMES = ("mini", *packages.PACKAGED)  # models that need no path
DTYPES = ("float32", "bfloat16", "float16")


def check(name: str, path: str | None = None, dtype: str = "float32") -> None:
    """Finds what is wrong with a model's settings without loading it.

    Args:
        name: ``mini``, one of ``packages.PACKAGED``, or the name to use in records for another model.
        path: folder, GGUF file or hub id of another model; ``None`` only for those known by name.
        dtype: of the weights.

    Raises:
        ValueError: an unknown name without a path, an unknown dtype, a package that is needed, or a damaged
            GGUF file.
        FileNotFoundError: ``path`` looks like a folder and there is none, or it holds no model; or a model
            known by name has not been fetched.
    """
    if dtype not in DTYPES:
        raise ValueError(f"model.dtype is {dtype!r}; expected one of {', '.join(DTYPES)}")
    if path is None:
        if name in packages.PACKAGED:
            packages.require(name)
        elif name != "mini":
            known = ", ".join(map(repr, packages.PACKAGED))
            raise ValueError(
                f"unknown model {name!r}; the embedded one is 'mini', {known} can be fetched, any other "
                "needs model.path=FOLDER_OR_HUB_ID or model.path=FILE.gguf"
            )
        return
    path = expanded(path) or path
    if is_gguf(path):
        gguf.check(Path(path))
    elif _is_folder(path) or Path(path).is_file():
        checkpoint.check_folder(Path(path))
        checkpoint.check_tokenizer(path)


def source_of(name: str, path: str | None) -> str:
    """The checkpoint folder or hub id that a name and a path mean; a GGUF file is converted first, once.

    Raises:
        ValueError, OSError: as ``check``, or as ``gguf.local``.
    """
    if path is None:
        return str(packages.require(name)) if name in packages.PACKAGED else str(MINI)
    path = expanded(path) or path
    return str(gguf.local(Path(path))) if is_gguf(path) else path


def expanded(path: str | None) -> str | None:
    """A path with the user's own folder in place of ``~``; the id of a hub stays as it is."""
    return str(Path(path).expanduser()) if path and path.startswith("~") else path


def load_model(
    name: str,
    *,
    path: str | None = None,
    dtype: str = "float32",
    device: str = "auto",
    spread: bool = False,
    trust_remote_code: bool = False,
    revision: str | None = None,
) -> tuple[Any, Any]:
    """Loads a model and its tokenizer.

    Args:
        name, path, dtype: as for ``check``; a name that ends in ``.gguf`` is a path.
        device: ``auto`` (CUDA when there is one), ``cpu``, ``cuda``...
        spread: put the layers on all CUDA devices there are, in place of ``device``; needs accelerate.
        trust_remote_code: let the checkpoint's own Python code run.
        revision: commit, tag or branch of a hub id.

    Returns:
        The model in evaluation mode, and its tokenizer.

    Raises:
        ValueError, FileNotFoundError: as ``check``, or as ``checkpoint.require_loadable``, or weights are
            missing or left over.
        OSError: the hub or the folder cannot be read, or has no weights as safetensors: other formats are
            pickles, which can run anything.
    """
    if path is None and is_gguf(name):
        path = name
    check(name, path, dtype)
    with uncollected():  # late: checking settings must not wait for them
        import torch
        import transformers.modeling_utils  # noqa: F401  # what loading imports

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    source = source_of(name, path)
    config = checkpoint.config_of(source, trust_remote_code, revision)
    checkpoint.require_loadable(config, dtype, device)
    tokenizer = load_tokenizer(source, trust_remote_code, revision)
    placed = spread or checkpoint.quantisation(config) is not None  # then by transformers itself
    model, report = checkpoint.model_class(config).from_pretrained(
        source,
        dtype=getattr(torch, dtype),
        trust_remote_code=trust_remote_code,
        revision=revision or "main",
        use_safetensors=True,
        device_map="auto" if spread else {"": device} if placed else None,
        output_loading_info=True,
    )
    checkpoint.require_all_weights(report, quantised=checkpoint.quantisation(config) is not None)
    return (model if placed else model.to(device)).eval(), tokenizer


def load_tokenizer(
    source: str, trust_remote_code: bool = False, revision: str | None = None
) -> Any:
    """The tokenizer of a checkpoint folder or hub id, without its model.

    Raises:
        OSError, ValueError, ImportError: there is none, or it cannot be read here.
    """
    from transformers import AutoTokenizer  # late: as in ``load_model``

    return AutoTokenizer.from_pretrained(
        source, trust_remote_code=trust_remote_code, revision=revision or "main"
    )


def _is_folder(path: str) -> bool:
    """Whether a path means a folder: it exists, is absolute or relative by a dot, or is no hub id."""
    return Path(path).exists() or path.startswith((".", "/", "~")) or path.count("/") > 1
