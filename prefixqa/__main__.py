"""``python -m prefixqa``: makes a PreFixQA set. ``--help`` lists the keys."""

import dataclasses
import os
import sys
from pathlib import Path
from typing import NoReturn, cast

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from prefixqa.config import PrefixqaConfig, register
from prefixqa.make import UnfinishedError, make

# A folder of its own, as for python -m ruler.
CONF = Path(__file__).resolve().parents[1] / "conf" / "prefixqa"
TEXT_KEYS = (
    *("backend", "tokenizer", "out", "source", "licence", "published_after", "published_before"),
    *("openai.model", "openai.base_url", "openai.judge", "openai.cache"),
)


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def app(config: DictConfig) -> None:
    """The Hydra application."""
    try:
        if OmegaConf.is_missing(config, "out"):
            raise ValueError("out is missing; say where the set goes with out=DIR")
        make(cast(PrefixqaConfig, OmegaConf.to_object(config)))
    except UnfinishedError as error:
        fail(error, 1)
    except (ValueError, OSError, OmegaConfBaseException) as error:
        fail(error)  # here and not in main: Hydra would print a line of its own about it


def quoted(argument: str) -> str:
    """An argument that Hydra takes as it is: paths with blanks or ``=``, ids with commas."""
    key, equals, value = argument.partition("=")
    plain = value and value[0] not in "'\"[" and value != "null" and "${" not in value
    if key not in TEXT_KEYS or not equals or not plain:
        return argument
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{key}="{escaped}"'


def main() -> None:
    """Runs the command. Exit code 2 and one line on stderr when the user's input is at fault."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise its errors instead of printing them
    if not {"-m", "--multirun"} & set(sys.argv):  # where commas mean a sweep
        sys.argv[1:] = [quoted(argument) for argument in sys.argv[1:]]
    register()
    try:
        app()
    except (HydraException, OmegaConfBaseException) as error:
        cause = error.__cause__
        fail(cause if isinstance(cause, OmegaConfBaseException) else error)


def fail(error: BaseException, code: int = 2) -> NoReturn:
    """Ends the process with one line about an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if isinstance(error, OmegaConfBaseException):
        key = error.full_key or error.key
        known = ", ".join(field.name for field in dataclasses.fields(PrefixqaConfig))
        unknown = isinstance(error, ConfigKeyError | ConfigAttributeError)
        text = f"unknown key {key!r}; known: {known}" if unknown else f"{key}: {text}"
    elif isinstance(error, HydraException):
        text += "; put a value with special characters into quotes"
    print(f"prefixqa: {text} (see python -m prefixqa --help)", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
