"""What Hydra remembers in tests is what it composes."""

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from bench import tasks
from bench.config import schema
from rows.compose import CONF, composition
from rows.keys import SettingError
from tests.composed import forgetful, remember

LINES = (
    ("method=quest", "task.length=512", "results=/a"),
    ("method=quest", "task.length=1024", "model.path=/b"),  # the same files, other values
    ("method=full", "task=longbench", "task.subtask=qasper"),
    ("experiment=rules", "hydra/launcher=processes", "hydra.launcher.n_jobs=3"),
    ("method=quest", "task.length=512", "results=/a"),
)


def composed(line: tuple[str, ...]) -> str:
    """The whole configuration, Hydra's own part included."""
    schema.register()
    tasks.register()
    with composition(CONF, line, multirun=False) as found:
        return OmegaConf.to_yaml(found.base)


def test_every_configuration_is_what_plain_hydra_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    with forgetful():
        wanted = [composed(line) for line in LINES]
    remember(monkeypatch)
    assert [composed(line) for line in LINES] == wanted


@pytest.mark.parametrize(
    "line", [("method=nothing",), ("method=quest", "task.lenght=1"), ("task.length=long",)]
)
def test_what_is_wrong_is_refused_each_time_in_the_same_words(line: tuple[str, ...]) -> None:
    def refusal() -> str:
        with pytest.raises((SettingError, HydraException)) as error:
            composed(line)
        return str(error.value)

    with forgetful():
        wanted = refusal()
    assert [refusal(), refusal()] == [wanted, wanted]


def test_a_task_that_is_added_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(monkeypatch)
    with pytest.raises(SettingError):
        composed(("task=longbench", "task.length=5"))
    changed = {
        **tasks.TASKS,
        "longbench": type("Other", (), {"name": "longbench", "conf": tasks.TASKS["ruler"].conf}),
    }
    monkeypatch.setattr(tasks, "TASKS", changed)
    assert "length: 5" in composed(("task=longbench", "task.length=5"))
