"""While large libraries are imported nobody looks for garbage; before and after it is as it was."""

import gc
import importlib

import pytest

from bench.config.collector import uncollected


def test_the_collector_rests_inside_the_block_only() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_import_that_fails_turns_it_on_again() -> None:
    with pytest.raises(ModuleNotFoundError), uncollected():
        importlib.import_module("nowhere_to_be_found")
    assert gc.isenabled()


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_after_the_last_work_what_is_there_is_never_looked_through() -> None:
    try:
        with uncollected(last=True):
            kept = [[] for _ in range(100)]
        assert gc.get_freeze_count() > len(kept)
        assert gc.isenabled()
        with uncollected():  # it was not the last
            assert gc.get_freeze_count() == 0
    finally:
        gc.unfreeze()
