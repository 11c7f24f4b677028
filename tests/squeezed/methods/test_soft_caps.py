"""Lookups on a layer whose logits are capped: every method chooses by the logits that the model computes."""

import math

import pytest
import torch

import squeezed
from tests.squeezed.conftest import context_of, kept_places, layer_of

# Logits 0, nine times, and 9: the last key holds all the mass. Capped at 1 it holds e / (9 + e) = 0.23, and
# 95 % need all the others, too; of two clusters that weigh one each it holds e / (1 + e) = 0.73.
KEYS = [0.0] * 9 + [9.0] + [0.0] * 2
MASS = {"rule": "topp", "top_p": 0.95}
LOOKUPS = {
    "single keys": squeezed.Oracle(**MASS),
    "pages": squeezed.Quest(page=1, **MASS),
    "sketches": squeezed.SparQ(rank=1, block=1, **MASS),
    "codes": squeezed.SqueezedBest(bits=8, **MASS),
    "groups": squeezed.ClusterKV(sinks=0, **MASS),
    "candidates": squeezed.Twilight(mass=0.95, sparsity=0, first=squeezed.Oracle(sparsity=0)),
}


def layer(softcap, keys=KEYS):
    clustered = len(keys) - 2
    return layer_of(
        keys,
        range(clustered),
        offsets=((0, clustered - 1, clustered),),
        softcap=softcap,
        queries=torch.ones(1, 2, 1),
    )


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_mass_is_that_of_capped_logits(name):
    method = LOOKUPS[name]
    assert kept_places(context_of(layer(None)), method, [[1.0]]) == [9]
    assert kept_places(context_of(layer(1.0)), method, [[1.0]]) == list(range(10))


def test_the_share_of_what_sparq_drops_is_that_of_capped_logits():
    method = squeezed.SparQ(sparsity=0.9, rank=1, block=1, mean_value=True)
    for cap, best in ((None, 9.0), (1.0, math.tanh(9))):
        selector = method.bind(context_of(layer(cap)), "reference")[0]
        rest = selector.select(torch.ones(1, 1, 1, 1), None).rest
        want = math.log(9) - math.log(math.exp(best) + 2)  # the window has two keys of logit 0
        assert rest.log_ratio.item() == pytest.approx(want, abs=1e-5)


def test_vattention_draws_as_many_as_capped_logits_need():
    keys = torch.linspace(0, 9, 200)

    def count(layer):
        method = squeezed.VAttention(sparsity=0, heavy=0.1, sinks=0, first=squeezed.Oracle(block=1))
        return len(kept_places(context_of(layer), method, [[1.0]]))

    window = torch.zeros(2)
    capped = count(layer(1.0, torch.cat([keys, window])))
    assert capped == count(layer(None, torch.cat([torch.tanh(keys), window])))
    assert capped != count(layer(None, torch.cat([keys, window])))
