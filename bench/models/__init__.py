"""Models by name: the embedded ``mini``, or any causal LM from a folder or the Hugging Face hub."""

from pathlib import Path
from typing import Any

MINI = Path(__file__).parent / "mini"
DTYPES = ("float32", "bfloat16", "float16")


def check(name: str, path: str | None = None, dtype: str = "float32") -> None:
    """Finds what is wrong with a model's settings without loading it.

    Args:
        name: ``mini``, or the name to use in records for another model.
        path: folder or hub id of another model; ``None`` only for ``mini``.
        dtype: of the weights.

    Raises:
        ValueError: an unknown name without a path, or an unknown dtype.
        FileNotFoundError: ``path`` looks like a folder and there is none, or it holds no model.
    """
    if dtype not in DTYPES:
        raise ValueError(f"model.dtype is {dtype!r}; expected one of {', '.join(DTYPES)}")
    if path is None:
        if name != "mini":
            raise ValueError(
                f"unknown model {name!r}; the embedded one is 'mini', any other needs "
                "model.path=FOLDER_OR_HUB_ID"
            )
        path = str(MINI)
    path = expanded(path) or path
    if Path(path).is_file():
        raise FileNotFoundError(
            f"model.path={path} is a file; expected the folder that save_pretrained wrote"
        )
    if _is_folder(path) and not (Path(path) / "config.json").is_file():
        reason = "holds no config.json" if Path(path).is_dir() else "does not exist"
        raise FileNotFoundError(
            f"model folder {path} {reason}; give a folder saved by save_pretrained"
        )


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
) -> tuple[Any, Any]:
    """Loads a model and its tokenizer.

    Args:
        name, path, dtype: as for ``check``. device: ``auto`` (CUDA when there is one), ``cpu``, ``cuda``...
        spread: put the layers on all CUDA devices there are, in place of ``device``; needs accelerate.
        trust_remote_code: let the checkpoint's own Python code run.

    Returns:
        The model in evaluation mode, and its tokenizer.

    Raises:
        ValueError, FileNotFoundError: as ``check``. OSError: the hub or the folder cannot be read, or has
            no weights as safetensors: other formats are pickles, which can run anything.
    """
    check(name, path, dtype)
    import torch  # late: checking settings must not wait for it
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    source = expanded(path) or str(MINI)
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
    model = AutoModelForCausalLM.from_pretrained(
        source,
        dtype=getattr(torch, dtype),
        trust_remote_code=trust_remote_code,
        use_safetensors=True,
        device_map="auto" if spread else None,
    )
    return (model if spread else model.to(device)).eval(), tokenizer


def _is_folder(path: str) -> bool:
    """Whether a path means a folder: it exists, is absolute or relative by a dot, or is no hub id."""
    return Path(path).exists() or path.startswith((".", "/", "~")) or path.count("/") > 1
