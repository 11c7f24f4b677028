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


@pytest.mark.parametrize("threads", [2, 3])
def test_an_index_has_the_same_bits_on_one_thread_and_on_several(two_threads, threads):
    model = tiny_llama(2, layers=17)
    attention.switch(model)
    states = prefill(model, random_ids(1061, 3), 100)
    torch.set_num_threads(threads)
    assert workers_for(17, torch.device("cpu")) == 2
    together = build_layers(list(states), (0.01, 0.05), 100, 0)
    torch.set_num_threads(1)
    alone = build_layers(list(states), (0.01, 0.05), 100, 0)
    for ours, theirs in zip(together, alone, strict=True):
        assert torch.equal(ours.positions, theirs.positions)
        assert torch.equal(ours.keys, theirs.keys)
        assert torch.equal(ours.values, theirs.values)
        assert torch.equal(ours.levels[0].spread, theirs.levels[0].spread)
        for level, other in zip(ours.levels, theirs.levels, strict=True):
            assert torch.equal(level.centroids, other.centroids)
            assert torch.equal(level.offsets, other.offsets)
            assert torch.equal(level.counts, other.counts)


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


def test_all_threads_are_shared_out(two_threads):
    torch.set_num_threads(7)
    together = threading.Barrier(3)

    def share(_):
        together.wait(10)  # so that each of the three works on one
        return torch.get_num_threads()

    assert sorted(side_by_side(share, [0] * 3, 3)) == [2, 2, 3]
    assert torch.get_num_threads() == 7


@pytest.mark.parametrize("which", ["the first worker", "the second worker"])
def test_an_error_of_any_worker_is_the_callers_and_stops_the_others(two_threads, which):
    together, done, failed = threading.Barrier(2), [], threading.Event()

    def work(each):
        if each >= 98:  # one for each worker
            together.wait(10)
            if (each == 99) == (which == "the first worker"):
                failed.set()
                raise RuntimeError("no memory")
            failed.wait(10)
        done.append(each)
        threading.Event().wait(0.01)

    with pytest.raises(RuntimeError, match="no memory"):
        side_by_side(work, list(range(100)), 2)
    assert len(done) < 50
    assert torch.get_num_threads() == 2


def test_an_error_of_the_only_worker_is_the_callers(two_threads):
    given = [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda each: 1 / (each - 1), given, 1)
    assert given == []


def test_few_layers_and_other_devices_are_worked_on_one_by_one(two_threads):
    assert [workers_for(n, torch.device("cpu")) for n in (0, 1, 15, 16, 80)] == [1, 1, 1, 2, 2]
    assert workers_for(80, torch.device("meta")) == 1
