"""What the commands that time a model are asked for, checked before anything heavy is imported."""

from bench import models
from bench.config.errors import InputError


def check_model(name: str, path: str | None, dtype: str) -> None:
    """Refuses a model that cannot be loaded by what its files say.

    Raises:
        InputError: says what is wrong with it.
    """
    try:
        models.check(name, path, dtype)
    except (ValueError, FileNotFoundError) as error:
        raise InputError(str(error)) from error
