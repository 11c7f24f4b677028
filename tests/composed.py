"""Hydra's work that depends on nothing but the files that a command line chooses, done once in a process.

Most of the time of a short run of the bench goes into composing its settings, and hundreds of tests run one:
Hydra reads the same files, finds out again which of them belong together, and merges them. Here it does that
once for each choice of files, and reads each word of a command line once. Values are put into a copy, and
checked, by Hydra every time; a choice that it refuses is refused anew.
"""

import copy
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hydra._internal import config_loader_impl as loading
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra.core.config_store import ConfigNode, ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

PLACES = (
    (loading, "create_defaults_list"),
    (loading.ConfigLoaderImpl, "_compose_config_from_defaults_list"),
    (CachingConfigRepository, "__init__"),
    (ConfigStore, "store"),
    (OverridesParser, "parse_rule"),
)
PLAIN = tuple(getattr(owner, name) for owner, name in PLACES)


@contextmanager
def forgetful() -> Iterator[None]:
    """Inside the block Hydra is as it was installed."""
    with pytest.MonkeyPatch.context() as patch:
        for (owner, name), function in zip(PLACES, PLAIN, strict=True):
            patch.setattr(owner, name, function)
        yield


def remember(patch: pytest.MonkeyPatch) -> None:
    """Makes Hydra remember, until the patch is undone."""
    list_files, merge_files, _, store_schema, read_word = PLAIN
    lists: dict[Hashable, DefaultsList] = {}
    merged: dict[int, DictConfig] = {}  # by the identity of a list of files, which ``lists`` holds
    words: dict[tuple[str, str], Any] = {}
    schemas: dict[type, DictConfig] = {}

    def listed(repo: Any, overrides_list: list[Any], **more: Any) -> DefaultsList:
        given = Overrides(repo=repo, overrides_list=overrides_list)
        values = {id(each) for each in given.config_overrides}
        files = tuple(each.input_line for each in overrides_list if id(each) not in values)
        sources = tuple((each.provider, each.path) for each in repo.get_sources())
        key = (files, sources, _schemas(), *sorted(more.items()))
        if key not in lists:
            lists[key] = list_files(repo=repo, overrides_list=overrides_list, **more)
        kept = lists[key]
        return DefaultsList(
            kept.defaults, kept.defaults_tree, given.config_overrides, kept.overrides
        )

    def merge(self: Any, defaults: list[Any], repo: Any) -> DictConfig:
        if id(defaults) not in merged:
            merged[id(defaults)] = merge_files(self, defaults=defaults, repo=repo)
        return copy.deepcopy(merged[id(defaults)])

    def read(self: Any, s: str, rule_name: str) -> Any:
        if (s, rule_name) not in words:
            words[s, rule_name] = read_word(self, s, rule_name)
        return copy.deepcopy(words[s, rule_name])

    def copied(self: Any, delegate: Any) -> None:
        self.delegate, self.cache = copy.copy(delegate), {}  # its sources are replaced, not changed

    def store(self: Any, name: str, node: Any, *more: Any, **named: Any) -> None:
        if isinstance(node, type):
            node = schemas[node] if node in schemas else OmegaConf.structured(node)
            schemas[OmegaConf.get_type(node)] = node
        store_schema(self, name, node, *more, **named)

    for (owner, name), function in zip(PLACES, (listed, merge, copied, store, read), strict=True):
        patch.setattr(owner, name, function)


def _schemas() -> tuple[Hashable, ...]:
    """The schemas that are known to Hydra now: tests add tasks, and take them away."""
    repo = ConfigStore.instance().repo
    nodes = {**repo, **{f"task/{name}": node for name, node in repo.get("task", {}).items()}}
    return tuple(
        (name, OmegaConf.get_type(node.node))
        for name, node in sorted(nodes.items())
        if isinstance(node, ConfigNode)
    )
