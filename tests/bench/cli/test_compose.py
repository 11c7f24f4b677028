"""Points of a sweep are what Hydra would compose for each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from bench import tasks
from bench.config import schema
from rows.compose import CONF, composition
from rows.keys import SettingError
from tests.composed import forgetful


@pytest.fixture(autouse=True)
def _plain_hydra() -> Iterator[None]:
    with forgetful():
        schema.register()
        tasks.register()
        yield


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        (["experiment=hierarchy", "task.length=4096"], 3 * 2 * 3 * 3 * 2 * 2),
        (["method=full,quest", "method.levels=[0.1],[0.01,0.1]", "task.seed=range(2)"], 2 * 2 * 2),
        (["model=mini,hf", "model.path=null,x", "index.window=50"], 4),
    ],
)
def test_every_point_is_what_hydra_composes(overrides: list[str], count: int) -> None:
    with composition(CONF, overrides, multirun=True) as composed:
        points = list(composed.points())
    assert len(points) == count
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for point in (*points[:3], points[-1]):
            wanted = compose("config", list(point.overrides))
            assert OmegaConf.to_object(point.config) == OmegaConf.to_object(wanted)


def test_the_last_key_changes_first_and_a_later_value_replaces_that_of_the_experiment() -> None:
    overrides = ["experiment=rules", "method=full,squeezed_topk"]
    with composition(CONF, overrides, multirun=False) as composed:
        assert composed.multirun
        points = list(composed.points())
    found = [(p.config.method.name, p.config.method.sparsity) for p in points[:6]]
    assert found == [
        *(("full", share) for share in (0.7, 0.8, 0.9)),
        *(("squeezed", share) for share in (0.7, 0.8, 0.9)),
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task.length=512,1024"], "has several values; -m runs each of them"),
        (["task.length=("], "cannot read 'task.length=('"),
        (["task.length=long"], "task.length: Value 'long'"),
        (["task=longbench", "task.length=5"], "task.length: Key 'length' not in 'LongBenchConf'"),
    ],
)
def test_a_wrong_value_is_one_line_with_its_key(overrides: list[str], message: str) -> None:
    with (
        pytest.raises(SettingError) as error,
        composition(Path(CONF), overrides, multirun=False) as composed,
    ):
        list(composed.points())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_value_among_those_of_a_sweep_too() -> None:
    with (
        pytest.raises(SettingError, match=r"task\.length: Value 'long'"),
        composition(CONF, ["task.length=512,long"], multirun=True) as composed,
    ):
        list(composed.points())
