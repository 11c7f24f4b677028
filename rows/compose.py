"""Configurations by Hydra's Compose API: one for a command line, or one for each point of a sweep.

Hydra's own ``main`` would compose each point twice and run each as a job, with folders and logs of its own;
a wrong setting would cost as much as a right one. Its launchers are used where a sweep asks for one.
"""

import copy
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from rows.keys import SettingError

CONF = Path(__file__).resolve().parents[1] / "conf"
NAME = "config"  # of the main file of a folder of configurations


@dataclass(frozen=True)
class Point:
    """One configuration of a command line, with the overrides that make it."""

    config: DictConfig
    overrides: tuple[str, ...]


class Composition:
    """What a command line asks for, below a folder of configurations; use ``composition``.

    Attributes:
        loader: Hydra's, for launchers. base: the configuration without the values that are swept,
            with Hydra's own settings in ``base.hydra``.
    """

    def __init__(self, overrides: Sequence[str], multirun: bool) -> None:
        self.loader: ConfigLoader = GlobalHydra.instance().config_loader()
        self._flag = multirun
        self._parsed = self._parse(overrides)
        self._composed: dict[tuple[str, ...], DictConfig] = {}

    @cached_property
    def base(self) -> DictConfig:
        """Raises SettingError if it cannot be composed."""
        fixed = [_line(each) for each in self._parsed if not each.is_sweep_override()]
        found = self._compose(fixed, hydra=True)
        self._composed[tuple(fixed)] = bare = copy.deepcopy(found)
        with open_dict(bare):
            del bare["hydra"]
        return found

    @property
    def multirun(self) -> bool:
        """Whether it is a sweep: by its flag, or by an experiment."""
        return self._flag or str(self.base.hydra.mode).endswith("MULTIRUN")

    @cached_property
    def swept(self) -> dict[str, list[str]]:
        """The overrides of each key in turn, those of the sweep's own parameters included.

        Raises:
            SettingError: a key has several values, but this is no sweep.
        """
        if not self.multirun:
            for each in self._parsed:
                if each.is_sweep_override():
                    raise SettingError(
                        f"{each.input_line} has several values; -m runs each of them"
                    )
        params = (self.base.hydra.sweeper.params or {}) if self.multirun else {}
        written = self._parse([f"{key}={value}" for key, value in params.items()])
        last = {each.get_key_element(): each for each in (*written, *self._parsed)}
        return {key: _lines(each) for key, each in last.items()}

    def points(self) -> Iterator[Point]:
        """The configurations, in the order of a sweep: the last key's values change first.

        Raises:
            SettingError: one cannot be composed.
        """
        groups = set(OmegaConf.to_container(self.base.hydra.runtime.choices))  # type: ignore[arg-type]
        for lines in itertools.product(*self.swept.values()):
            first: list[str] = []
            later: list[str] = []
            for line, key in zip(lines, self.swept, strict=True):
                # A file is chosen by composing; a value alone is put into what was composed.
                swept = len(self.swept[key]) > 1 and key not in groups and key[:1] not in "+~"
                (later if swept else first).append(line)
            yield Point(self._with(first, later), lines)

    def _with(self, first: list[str], later: list[str]) -> DictConfig:
        found = tuple(first)
        if found not in self._composed:
            self._composed[found] = self._compose(first)
        config = copy.deepcopy(self._composed[found])
        for each in self._parse(later):
            try:
                OmegaConf.update(config, each.key_or_group, each.value(), merge=True)
            except OmegaConfBaseException as error:
                raise SettingError(_first(error, each.key_or_group)) from error
        return config

    def _compose(self, overrides: list[str], hydra: bool = False) -> DictConfig:
        try:
            return compose(NAME, overrides, return_hydra_config=hydra)
        except (HydraException, OmegaConfBaseException) as error:
            raise SettingError(explained(error)) from error

    def _parse(self, overrides: Sequence[str]) -> list[Override]:
        parser = OverridesParser.create(config_loader=self.loader)
        found = []
        for each in overrides:
            try:
                found += parser.parse_overrides([each])
            except HydraException as error:
                key, _, value = each.partition("=")
                quote = f"; a value with special characters is written {key}='\"{value}\"'"
                raise SettingError(f"cannot read {each!r}{quote if value else ''}") from error
        return found


@contextmanager
def composition(folder: Path, overrides: Sequence[str], multirun: bool) -> Iterator[Composition]:
    """The composition of a command line.

    Args:
        folder: of ``config.yaml`` and its groups.

    Raises:
        SettingError: a value that Hydra cannot read.
    """
    with initialize_config_dir(str(folder), version_base="1.3", job_name="bench"):
        yield Composition(overrides, multirun)


def help_text(folder: Path, composed: Composition) -> str:
    """The page that ``hydra.help`` of the configuration describes, with the keys and their values."""
    config = copy.deepcopy(composed.base)
    with open_dict(config):
        page = config.pop("hydra").help
    header, footer = str(page.header).strip(), str(page.footer).strip()
    raw = str(OmegaConf.to_container(page, resolve=False)["template"])  # type: ignore[index, call-overload]
    raw = raw.replace("${hydra.help.header}", header).replace("${hydra.help.footer}", footer)
    resolved = str(
        OmegaConf.create({"page": raw}).page
    )  # names of tasks, by resolvers of the commands
    filled = Template(resolved).safe_substitute(
        APP_CONFIG_GROUPS=_groups(folder), CONFIG=OmegaConf.to_yaml(config).rstrip()
    )
    return filled.strip()


def explained(error: Exception) -> str:
    """What Hydra or OmegaConf says, in one line, with the key."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(cause, OmegaConfBaseException):
        return _first(cause, str(cause.full_key or cause.key or ""))
    text = str(error).split("\nConfig search path")[0]
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def _first(error: OmegaConfBaseException, key: str) -> str:
    """The first line of an error, which alone is for people."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{key}: {lines[0] if lines else type(error).__name__}"


def _lines(override: Override) -> list[str]:
    """An override once for each of its values."""
    if not override.is_sweep_override():
        return [_line(override)]
    if not override.is_discrete_sweep():
        raise SettingError(f"{override.input_line}: such a range is no list of values to run")
    key = override.get_key_element()
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _line(override: Override) -> str:
    return str(override.input_line)


def _groups(folder: Path) -> str:
    """Choices of each group, one line a group; schemas have no file and are none of them."""
    lines = []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        names = sorted(file.stem for file in path.glob("*.yaml"))
        if names and names != [NAME]:
            lines.append(f"{path.name}: {', '.join(names)}")
    return "\n".join(lines)


def plain(config: DictConfig) -> Any:
    """The dataclasses of a configuration.

    Raises:
        SettingError: a value is missing.
    """
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise SettingError(f"{missing[0]} is missing; say it with {missing[0]}=VALUE")
    try:
        return OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise SettingError(explained(error)) from error
