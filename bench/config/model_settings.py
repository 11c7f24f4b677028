"""Settings of a model that decide its prompts and its identity."""

from bench.config.errors import InputError
from bench.config.schema import ModelConf
from bench.config.spec import digest
from rows.turn import Turn


def chat_turn(config: ModelConf) -> Turn:
    """What the chat template is given.

    Raises:
        InputError: the suite gives that argument itself, or JSON cannot hold it.
    """
    given = config.chat_template_kwargs
    if given is not None and not isinstance(given, dict):
        raise InputError(
            f"model.chat_template_kwargs is {given!r}; expected names and values, such as "
            "{enable_thinking: false}"
        )
    try:
        return Turn.of(config.system, given)
    except ValueError as error:
        raise InputError(f"model.{error}") from error


def hub_fingerprint(source: str, revision: str | None) -> str:
    """The fingerprint of a hub id, of which no files are read; another revision is another model."""
    return digest(source if revision is None else f"{source}@{revision}")[:16]
