"""The command line that the generators share: Hydra's, and one line where the user's input is at fault."""

import dataclasses
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

CONF = Path(__file__).resolve().parents[1] / "conf"


class UnfinishedError(RuntimeError):
    """The work could not be finished, though the settings are right; what was done is kept."""


@dataclass(frozen=True)
class Command:
    """``python -m NAME``.

    Attributes:
        name: of the package, and of its folder below ``conf/``. A folder of its own, because in ``conf/``
            itself Hydra takes ``task=`` for the choice of a file of ``conf/task``.
        settings: the dataclass of the keys, one of which is ``out``.
        out: what goes there, for the line that asks for it.
        text_keys: whose values may hold blanks, ``=`` and commas.
        register: puts the dataclass into Hydra's store.
        work: given the settings, makes the files. ``ValueError`` and ``OSError`` are the user's to mend.
    """

    name: str
    settings: type
    out: str
    text_keys: tuple[str, ...]
    register: Callable[[], None]
    work: Callable[[Any], None]

    def main(self) -> None:
        """Runs the command. Exit code 2 and one line on stderr when the user's input is at fault, 1 when
        the work could not be finished."""
        # Hydra then raises its errors instead of printing them.
        os.environ["HYDRA_FULL_ERROR"] = "1"
        if not {"-m", "--multirun"} & set(sys.argv):  # where commas mean a sweep
            sys.argv[1:] = [self._quoted(argument) for argument in sys.argv[1:]]
        self.register()
        try:
            hydra.main(version_base="1.3", config_path=str(CONF / self.name), config_name="config")(
                self._app
            )()
        except (HydraException, OmegaConfBaseException) as error:
            cause = error.__cause__
            self._fail(cause if isinstance(cause, OmegaConfBaseException) else error)

    def _app(self, config: DictConfig) -> None:
        try:
            if OmegaConf.is_missing(config, "out"):
                raise ValueError(f"out is missing; say where the {self.out} with out=DIR")
            self.work(OmegaConf.to_object(config))
        except UnfinishedError as error:
            self._fail(error, 1)
        except (ValueError, OSError, OmegaConfBaseException) as error:
            self._fail(error)  # here and not in main: Hydra would print a line of its own about it

    def _quoted(self, argument: str) -> str:
        """An argument that Hydra takes as it is: paths with blanks or ``=``, tasks with commas."""
        key, equals, value = argument.partition("=")
        plain = value and value[0] not in "'\"[" and value != "null" and "${" not in value
        if key not in self.text_keys or not equals or not plain:
            return argument
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{key}="{escaped}"'

    def _fail(self, error: BaseException, code: int = 2) -> NoReturn:
        """Ends the process with one line about an error."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = lines[0] if lines else type(error).__name__
        if isinstance(error, OmegaConfBaseException):
            key = error.full_key or error.key
            known = ", ".join(field.name for field in dataclasses.fields(self.settings))
            unknown = isinstance(error, ConfigKeyError | ConfigAttributeError)
            text = f"unknown key {key!r}; known: {known}" if unknown else f"{key}: {text}"
        elif isinstance(error, HydraException):
            text += "; put a value with special characters into quotes"
        print(f"{self.name}: {text} (see python -m {self.name} --help)", file=sys.stderr)
        sys.exit(code)


def check_folder(folder: Path) -> None:
    """Whether files can be put into ``folder``, which may not be there yet.

    Raises:
        ValueError: they cannot.
    """
    parent = folder.absolute()
    while not parent.exists() and not parent.is_symlink():
        parent = parent.parent
    if not parent.is_dir():
        raise ValueError(f"out: {folder} cannot be made, {parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ValueError(f"out: no permission to write into {parent}")
