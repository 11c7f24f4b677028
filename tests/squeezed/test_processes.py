"""A setting gives the same whatever ran before it, in the same process or in others.

Two kinds of models carry something from run to run: a dynamic RoPE remembers the longest pass it saw, and
adapters are switched on the model that other settings use too.
"""

import json
from typing import Any

import pytest
import torch

from tests import forked
from tests.squeezed.processes import SETTINGS, outcome

ORDERS = {
    "the other way round": tuple(reversed(SETTINGS)),
    "some of them": ("dynamic, nearly as long as it may be", "no adapter", "both adapters"),
}


@pytest.fixture(scope="module")
def here() -> dict[str, Any]:
    """All settings in this process, in their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {setting: outcome(setting) for setting in SETTINGS}
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_another_process_and_order_give_the_same(here: dict[str, Any], order: list[str]) -> None:
    done = forked.run("tests.squeezed.processes", *order)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {setting: here[setting] for setting in order}


def test_a_second_time_gives_the_same(here: dict[str, Any]) -> None:
    for setting in reversed(SETTINGS):
        assert outcome(setting) == here[setting]


def test_the_settings_differ(here: dict[str, Any]) -> None:
    # Or it would say nothing that they are the same each time.
    assert len({each["index"] for each in here.values()}) == len(SETTINGS)
    assert len({each["model"] for each in here.values()}) == len(SETTINGS) - 1  # dynamic: one model
