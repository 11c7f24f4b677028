"""What a checkpoint is, told from its small files: what is wrong is said before weights are loaded."""

import functools
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SHOWN = 4  # names of weights in a message
DERIVED = ("inv_freq", "masked_bias")  # computed from the configuration; old checkpoints hold them
ADAPTER = "adapter_config.json"
PIECES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
NEEDED_FOR_PIECES = ("sentencepiece", "google.protobuf")
INSTALL_PIECES = "pip install 'squeezed-attention-bench[sentencepiece]'"


def check_folder(folder: Path) -> None:
    """Checks that a folder holds a model.

    Raises:
        FileNotFoundError: it does not; says what there is, and what to do.
    """
    if (folder / "config.json").is_file():
        return
    if folder.is_file():
        raise FileNotFoundError(
            f"model.path={folder} is a file; expected the folder that save_pretrained wrote"
        )
    if (folder / ADAPTER).is_file():
        raise FileNotFoundError(
            f"model folder {folder} holds an adapter{_of_base(folder)} and no model of its own; merge the "
            "two (in PEFT: merge_and_unload(), then save_pretrained) and give that folder, or load both in "
            "Python and call squeezed.prepare on the result"
        )
    reason = "holds no config.json" if folder.is_dir() else "does not exist"
    raise FileNotFoundError(
        f"model folder {folder} {reason}; give a folder saved by save_pretrained"
    )


def _of_base(folder: Path) -> str:
    try:
        base = json.loads((folder / ADAPTER).read_text()).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        return ""
    return f" of {base}" if base else ""


def check_tokenizer(source: str) -> None:
    """Checks that the packages are there that the tokenizer's files need.

    Raises:
        ValueError: one is not; names it.
    """
    folder = Path(source)
    if (folder / "tokenizer.json").is_file() or not any((folder / n).is_file() for n in PIECES):
        return
    if not all(map(_installed, NEEDED_FOR_PIECES)):
        raise ValueError(
            f"the tokenizer in {source} is a SentencePiece model, which needs the packages sentencepiece "
            f"and protobuf: {INSTALL_PIECES}"
        )


def hint(error: Exception) -> str:
    """What to add to an error of transformers that asks for the wrong package: a file of pieces, which it
    cannot read without sentencepiece, it takes for one of tiktoken's."""
    text = str(error)
    asked = "tiktoken" in text or "sentencepiece" in text
    missing = asked and not all(map(_installed, NEEDED_FOR_PIECES))
    return f" (a SentencePiece model needs two packages: {INSTALL_PIECES})" if missing else ""


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # its parent is not there
        return False


@functools.cache
def config_of(
    source: str,
    trust_remote_code: bool = False,
    revision: str | None = None,
    local_only: bool = False,
) -> Any:
    """The configuration of a checkpoint folder or hub id; of a hub id it alone is fetched.

    Args:
        local_only: fetch nothing; None if it is not here.

    Raises:
        ValueError: there is none, or transformers does not know it; one line.
    """
    from transformers import AutoConfig  # takes seconds

    try:
        return AutoConfig.from_pretrained(
            source,
            trust_remote_code=trust_remote_code,
            revision=revision or "main",
            local_files_only=local_only,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if local_only and isinstance(error, OSError) and not Path(source).exists():
            return None
        raise ValueError(f"no configuration can be read from {source}: {_line(error)}") from error


def check_here(
    source: str, dtype: str, device: str, trust_remote_code: bool, revision: str | None
) -> None:
    """As ``require_loadable``, of a checkpoint whose configuration is on this machine; fetches nothing."""
    config = config_of(source, trust_remote_code, revision, local_only=True)
    if config is not None:
        require_loadable(config, dtype, device)


def require_loadable(config: Any, dtype: str, device: str = "cpu") -> None:
    """Refuses, from its configuration, a model that could not be loaded or would be wrong.

    Args:
        config: the checkpoint's. dtype, device: as it is to be loaded.

    Raises:
        ValueError: the reason, in one line.
    """
    from squeezed.model import families

    for reason in families.refusals_of_config(config):
        raise ValueError(f"{config.model_type} {reason}")
    model_class(config)
    if (given := quantisation(config)) is not None:
        _require_quantised(given, config.model_type, dtype, device)


def require_all_weights(report: Mapping[str, Any], quantised: bool = False) -> None:
    """Refuses a checkpoint that is not whole: what it lacks, transformers draws at random and goes on.

    Args:
        report: transformers' account of the loading. quantised: weights may stand under more names than the
            model has, so only missing ones count.

    Raises:
        ValueError: weights are missing, or there are some that the model has no place for; names them.
    """
    missing = sorted(report.get("missing_keys", ()))
    over = sorted(key for key in report.get("unexpected_keys", ()) if not key.endswith(DERIVED))
    found = []
    if missing:
        found.append(f"{_counted(missing)} missing: {_some(missing)}")
    if over and not quantised:
        found.append(f"{_counted(over)} left over, for which the model has no place: {_some(over)}")
    if found:
        raise ValueError(
            f"the checkpoint does not fit its configuration ({'; '.join(found)}); get the whole checkpoint, "
            "or the config.json that belongs to it"
        )


def _counted(names: list[str]) -> str:
    return f"{len(names)} {'weight is' if len(names) == 1 else 'weights are'}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (
        f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    )


def model_class(config: Any) -> Any:
    """The class of transformers that loads such a model.

    Models that read images as well are known to another one; asked with text alone, they are causal LMs.

    Raises:
        ValueError: no causal LM is known for it.
    """
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText
    from transformers.models.auto import modeling_auto as known

    own = getattr(config, "auto_map", None) or {}
    kind = type(config)
    if "AutoModelForCausalLM" in own or kind in known.MODEL_FOR_CAUSAL_LM_MAPPING:
        return AutoModelForCausalLM
    if kind in known.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return AutoModelForImageTextToText
    raise ValueError(f"{config.model_type} is no causal LM that transformers knows")


def quantisation(config: Any) -> dict[str, Any] | None:
    """How the checkpoint's weights are quantised, as its configuration says; None: they are not."""
    found = getattr(config, "quantization_config", None)
    if found is None:
        found = getattr(config.get_text_config(decoder=True), "quantization_config", None)
    if found is None:
        return None
    return dict(found if isinstance(found, dict) else found.to_dict())


def _require_quantised(given: dict[str, Any], kind: str, dtype: str, device: str) -> None:
    import torch
    from transformers.quantizers.auto import AutoHfQuantizer

    method = given.get("quant_method") or "an unnamed method"
    eight = given.get("load_in_8bit") or given.get("_load_in_8bit")
    if eight and given.get("llm_int8_threshold", 6.0):
        raise ValueError(
            f"{kind} is quantised by LLM.int8, which chooses for each forward pass the columns that stay in "
            "16 bits, so its outputs depend on which tokens are read together; set llm_int8_threshold to 0 "
            "in its config.json, or use another form"
        )
    try:
        quantiser = AutoHfQuantizer.from_config(dict(given), pre_quantized=True)
        quantiser.validate_environment(
            dtype=getattr(torch, dtype), device_map={"": device}, weights_only=True
        )
    except Exception as error:  # of any kind, by the method
        raise ValueError(f"{kind} is quantised by {method}: {_line(error)}") from error
    if not _installed("accelerate"):
        raise ValueError(
            f"{kind} is quantised by {method}, which needs the accelerate package: pip install accelerate"
        )


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
