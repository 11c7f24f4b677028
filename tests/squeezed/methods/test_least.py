"""The smallest size that each method accepts: it is met, and nothing is read beyond it."""

import pytest
import torch

import squeezed
from tests.squeezed.conftest import first_pass, random_ids

TOKENS = 900
PAGES = {"quest": 16, "twilight": 16}  # whole pages of 16 keys are kept or dropped
# These have no size, or one of their own; thresholds meet a size on average alone.
OTHERS = {"full", "duo_attention", "squeezed"}


@pytest.fixture(scope="module")
def whole(model):
    needs = [name for method in squeezed.METHODS.values() for name in method.needs]
    statistics = squeezed.statistics_for(needs)
    return squeezed.prepare(model, random_ids(TOKENS, seed=5), statistics=statistics)


@pytest.mark.parametrize("name", sorted(squeezed.METHODS.keys() - OTHERS))
def test_the_smallest_size_is_what_is_read(model, whole, name):
    method = squeezed.METHODS[name]
    with pytest.raises(squeezed.BudgetError) as refused:
        method(kv_budget=0.02).bind(whole, "auto")
    least = float(str(refused.value).rpartition("=")[2])
    cache = first_pass(model, whole, method(kv_budget=least), random_ids(12, seed=3))
    read = torch.stack([each.per_member() for each in cache.reads]).mean().item()
    assert read <= least + PAGES.get(name, 1.5) / TOKENS
