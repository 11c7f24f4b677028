"""The command line that the generators share: ``key=value``, and one line where the input is at fault."""

import errno
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from rows.extras import missing
from rows.keys import SettingError, keys_of, meant, quoted, split
from rows.redact import redact

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # nothing is wrong with the settings
STOPPED = 130  # as a shell says of a process that Ctrl-C has stopped
SWEEP = ("-m", "--multirun")
HELP = ("-h", "--help")


class UnfinishedError(RuntimeError):
    """The work could not be finished, though the settings are right; what was done is kept."""


@dataclass(frozen=True)
class Command:
    """``squeezed-bench NAME``, or ``python -m NAME``.

    Attributes:
        name: of the package, and of its folder below ``conf/``. A folder of its own, because in ``conf/``
            itself Hydra takes ``task=`` for the choice of a file of ``conf/task``.
        settings: the dataclass of the keys, one of which is ``out``.
        out: what goes there, for the line that asks for it.
        register: puts the dataclass into Hydra's store.
        work: given the settings, makes the files. ``ValueError`` and ``OSError`` are the user's to mend.
    """

    name: str
    settings: type
    out: str
    register: Callable[[], None]
    work: Callable[[Any], None]

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the command; returns the exit code: 2 and one line on stderr when the user's input is at
        fault, 1 when the work could not be finished."""
        try:
            self._run(sys.argv[1:] if arguments is None else arguments)
        except KeyboardInterrupt:
            return self._fail(
                "stopped; files that are whole stay, the same command goes on", STOPPED
            )
        except BrokenPipeError:  # whoever read the output has enough of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except ModuleNotFoundError as error:
            hint = missing(error)
            if hint is None:
                raise
            return self._fail(hint, 2)
        except UnfinishedError as error:
            return self._fail(str(error), 1)
        except OSError as error:
            if error.errno in FULL:
                what = f"{error.strerror}: {error.filename or 'a file'}"
                return self._fail(f"{what}. Make room and run the same command again", 1)
            return self._fail(str(error) or type(error).__name__, 2)
        except ValueError as error:
            return self._fail(str(error) or type(error).__name__, 2)
        return 0

    def _run(self, arguments: Sequence[str]) -> None:
        flags = [each for each in arguments if each.startswith("-")]
        unknown = [each for each in flags if each not in (*SWEEP, *HELP)]
        if unknown:
            raise SettingError(f"unknown flag {unknown[0]}; there are -m (a sweep) and --help")
        several = any(each in SWEEP for each in flags)
        keys = keys_of(self.settings)
        given = [self._checked(each, keys, several) for each in arguments if each not in flags]
        self.register()
        from rows.compose import CONF, composition, help_text  # late: after all that is quick

        with composition(CONF / self.name, given, several) as composed:
            if any(each in HELP for each in flags):
                print(help_text(CONF / self.name, composed))
                return
            points = [self._settings(point.config) for point in composed.points()]
        for settings in points:
            self.work(settings)

    def _settings(self, config: Any) -> Any:
        from omegaconf import OmegaConf

        from rows.compose import plain

        if OmegaConf.is_missing(config, "out"):
            raise SettingError(f"out is missing; say where the {self.out} with out=DIR")
        return plain(config)

    def _checked(self, argument: str, keys: dict[str, Any], several: bool) -> str:
        _, key, equals, value = split(argument)
        if key.startswith(("hydra.", "hydra/")):
            return argument
        if key not in keys:
            known = meant(key, keys) or f"; known: {', '.join(keys)}"
            raise SettingError(f"unknown key {key!r}{known}")
        if not equals:
            raise SettingError(f"{key} has no value; a setting is written {key}=VALUE")
        # Hydra adds names to a mapping only where it is told to.
        mark = "++" if get_origin(keys[key]) is dict else ""
        return quoted(f"{mark}{key}={value}", keys, several=several, whole=("out",))

    def _fail(self, text: str, code: int) -> int:
        """Says an error in one line; returns the exit code."""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        more = f" (see python -m {self.name} --help)" if code == 2 else ""
        print(f"{self.name}: {redact(lines[0])}{more}", file=sys.stderr)
        return code


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
