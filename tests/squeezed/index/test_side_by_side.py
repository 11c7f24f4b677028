"""Layers at once: the same index as one after the other, on the caller's terms."""

import threading

import pytest
import torch

from squeezed.index.build import build_layers
from squeezed.index.side_by_side import side_by_side, workers_for
from squeezed.model import attention
from squeezed.model.prefill import prefill
from tests.squeezed.conftest import random_ids, tiny_llama


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_an_index_has_the_same_bits_on_one_thread_and_on_two(two_threads):
    model = tiny_llama(2, layers=17)
    attention.switch(model)
    states = prefill(model, random_ids(1061, 3), 100)
    assert workers_for(17, torch.device("cpu")) == 2
    together = build_layers(list(states), (0.01, 0.05), 100, 0)
    torch.set_num_threads(1)
    alone = build_layers(list(states), (0.01, 0.05), 100, 0)
    for ours, theirs in zip(together, alone, strict=True):
        assert torch.equal(ours.positions, theirs.positions)
        assert torch.equal(ours.keys, theirs.keys)
        for level, other in zip(ours.levels, theirs.levels, strict=True):
            assert torch.equal(level.centroids, other.centroids)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_each_is_worked_on_once_and_stands_in_its_place(two_threads, workers):
    given = list(range(10))
    assert side_by_side(lambda each: each**2, given, workers) == tuple(n**2 for n in range(10))
    assert given == []
    assert torch.get_num_threads() == 2


def test_workers_share_the_threads_and_what_torch_knows_of_the_caller(two_threads):
    def known(_):
        return torch.get_num_threads(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    assert set(side_by_side(known, [0] * 4, 2)) == {(1, True, False)}
    with torch.no_grad():
        assert set(side_by_side(known, [0] * 4, 2)) == {(1, False, False)}
    with torch.inference_mode():
        assert set(side_by_side(known, [0] * 4, 2)) == {(1, False, True)}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_is_the_callers_and_stops_the_others(two_threads, workers):
    done = []
    begun = threading.Event()

    def work(each):
        if each == 99:
            begun.wait(5)
            raise RuntimeError("the last one first")
        begun.set()
        done.append(each)
        threading.Event().wait(0.01)

    if workers == 1:
        begun.set()
    with pytest.raises(RuntimeError, match="the last one first"):
        side_by_side(work, list(range(100)), workers)
    assert len(done) < 99
    assert torch.get_num_threads() == 2


def test_few_layers_and_other_devices_are_worked_on_one_by_one(two_threads):
    assert [workers_for(n, torch.device("cpu")) for n in (0, 1, 15, 16, 80)] == [1, 1, 1, 2, 2]
    assert workers_for(80, torch.device("meta")) == 1
