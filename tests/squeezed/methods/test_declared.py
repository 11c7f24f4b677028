"""What method classes declare of themselves, so that no other code has to know them by name."""

import pytest
import torch

import squeezed
from tests.squeezed.conftest import context_of, kept_places, layer_of

KEYS = [5.0, 1.0, 4.0, 0.0, 3.0, 0.5, 2.0, -1.0, 0.0, 0.0]


def test_declarations_of_the_registered_methods():
    declared = {
        name: (method.clustered, method.needs, method.indexed)
        for name, method in squeezed.METHODS.items()
    }
    special = {
        "full": (False, (), False),
        "h2o": (False, ("received_attention",), True),
        "observed": (False, ("received_attention",), True),
        "criticalkv": (False, ("output_norm",), True),
        "expected_attention": (
            *(False, ("expected_query_mean", "expected_query_covariance"), True),
        ),
        "kvzip": (False, ("replay_attention",), True),
        "infllm": (False, ("received_attention",), True),
        "multipole": (False, ("turned_keys",), True),
        "clusterkv": (True, (), True),
        "retroinfer": (True, (), True),
        "squeezed": (True, (), True),
        "squeezed_best": (True, (), True),
    }
    assert special.items() <= declared.items()
    others = {name: each for name, each in declared.items() if name not in special}
    assert set(others.values()) == {(False, (), True)}


@pytest.mark.parametrize(
    "method",
    [
        squeezed.Squeezed(sparsity=0.5, rule="topk"),
        squeezed.Oracle(sparsity=0.5),
        squeezed.Quest(sparsity=0.5, page=2),
        squeezed.SnapKV(sparsity=0.5, kernel=1),
        squeezed.H2O(sparsity=0.5),
        squeezed.Random(sparsity=0.5),
        squeezed.StreamingLLM(sparsity=0.5, sinks=1),
    ],
    ids=lambda method: type(method).__name__,
)
def test_other_clusters_change_what_clustered_methods_keep_and_no_others(method):
    kept = []
    for offsets in (((0, 2, 4, 6, 8),), ((0, 1, 4, 5, 8),)):
        layer = layer_of(
            KEYS,
            offsets=offsets,
            queries=torch.ones(1, 2, 1),
            statistics={"received_attention": torch.arange(8.0)[None]},
        )
        kept.append(kept_places(context_of(layer), method, [[1.0]]))
    assert (kept[0] != kept[1]) == type(method).clustered


@pytest.mark.parametrize(
    ("name", "wanted"), [("h2o", ("received_attention",)), ("squeezed", ()), ("full", ())]
)
def test_needs_are_what_prepare_is_asked_for(name, wanted):
    assert squeezed.statistics_for(squeezed.METHODS[name].needs) == wanted


def test_several_methods_share_one_prefill():
    both = squeezed.statistics_for((*squeezed.H2O.needs, *squeezed.CriticalKV.needs))
    assert both == squeezed.statistics_for(
        (*squeezed.CriticalKV.needs, *squeezed.H2O.needs, *squeezed.ObservedAttention.needs)
    )
    assert both == ("received_attention", "output_norm")


def test_an_unknown_statistic_is_refused(model):
    with pytest.raises(ValueError, match="needs names entropy; statistics of the prefill are"):
        squeezed.statistics_for(("received_attention", "entropy"))
    with pytest.raises(ValueError, match="needs names entropy"):
        squeezed.prepare(model, torch.arange(200), statistics=("entropy",))
