"""The tokenizer that a generator is asked to count with."""

import importlib.util
from pathlib import Path
from typing import Any

from rows.gguf import kept, reading
from rows.gguf.header import is_gguf, read_header
from rows.gguf.tokenizer import read_tokenizer
from rows.tokenizer_file import read_tokenizer_file


def load_tokenizer(name: str, chat: bool = False) -> Any:
    """The tokenizer of ``mini``, of a model that was fetched by name, of a folder, a GGUF file or a hub id.

    Args:
        chat: it must know its chat template. Without, a folder's may be a ``FileTokenizer``: the same ids.

    Raises:
        ValueError: there is no such tokenizer.
    """
    if is_gguf(name):
        return _of_gguf(Path(name).expanduser(), chat)
    fetched = None if Path(name).exists() else kept.named(name)
    source = str(_mini()) if name == "mini" else str(fetched or Path(name).expanduser())
    if name.startswith((".", "/", "~")) and not Path(source).is_dir():
        raise ValueError(
            f"tokenizer: no folder {name}; give mini, a local folder, a GGUF file, or a hub id"
        )
    if not chat and (read := read_tokenizer_file(Path(source))) is not None:
        return read
    from transformers import AutoTokenizer  # takes seconds, so after all checks

    try:
        return AutoTokenizer.from_pretrained(source)
    except Exception as error:  # any of a dozen kinds, by what is wrong with the folder or the hub
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"tokenizer: cannot load {name!r} ({reason[0]}); give mini, a local folder with "
            "tokenizer files, or a hub id"
        ) from error


def _of_gguf(path: Path, chat: bool) -> Any:
    """The tokenizer of a GGUF file: of its converted model if there is one, else read from it, slowly."""
    try:
        wanted = reading.version(read_header(path))
        converted = kept.folder_of(kept.sha256_of(path))
        if not kept.is_there(converted, wanted):
            return read_tokenizer(path)
    except (ImportError, OSError, ValueError) as error:
        raise ValueError(f"tokenizer: {error}") from error
    return load_tokenizer(str(converted), chat)


def _mini() -> Path:
    # Found by path, only when asked for: this package must not depend on bench.
    found = importlib.util.find_spec("bench") and importlib.util.find_spec("bench.models")
    for location in (found and found.submodule_search_locations) or ():
        if (folder := Path(location) / "mini").is_dir():
            return folder
    raise ValueError("tokenizer: the embedded model is not installed (no folder bench/models/mini)")
