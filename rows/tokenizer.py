"""The tokenizer that a generator is asked to count with."""

import importlib.util
from pathlib import Path
from typing import Any


def load_tokenizer(name: str) -> Any:
    """The tokenizer of the embedded model (``mini``), of a local folder, or of a hub id.

    Raises:
        ValueError: there is no such tokenizer.
    """
    source = str(_mini()) if name == "mini" else str(Path(name).expanduser())
    if name.startswith((".", "/", "~")) and not Path(source).is_dir():
        raise ValueError(f"tokenizer: no folder {name}; give mini, a local folder, or a hub id")
    from transformers import AutoTokenizer  # takes seconds, so after all checks

    try:
        return AutoTokenizer.from_pretrained(source)
    except Exception as error:  # any of a dozen kinds, by what is wrong with the folder or the hub
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"tokenizer: cannot load {name!r} ({reason[0]}); give mini, a local folder with "
            "tokenizer files, or a hub id"
        ) from error


def _mini() -> Path:
    # Found by path, only when asked for: this package must not depend on bench.
    found = importlib.util.find_spec("bench") and importlib.util.find_spec("bench.models")
    for location in (found and found.submodule_search_locations) or ():
        if (folder := Path(location) / "mini").is_dir():
            return folder
    raise ValueError("tokenizer: the embedded model is not installed (no folder bench/models/mini)")
