"""Model arguments of the harness become the suite's settings; needs no harness."""

from typing import Any

import pytest

import squeezed
from bench.config.errors import InputError
from bench.harness import settings


def test_a_methods_file_and_its_settings_are_read() -> None:
    found = settings.read({"method": "squeezed_topk", "kv_budget": 0.2, "depth": 2, "window": 50})
    assert found.method.slug == "squeezed-topk-depth2-kv_budget0.2"
    assert found.index.levels == (0.01, 0.05)
    assert (found.index.window, found.cut.window) == (50, 50)
    assert (found.cut.field, found.cut.marker, found.cache_dir) == ((), None, None)


def test_parameters_of_one_method_alone_are_read() -> None:
    duo = {"method": "duo_attention", "sparsity": 0.5, "local": 60}
    settings.require_known(duo, set())
    assert settings.read(duo).engine == squeezed.DuoAttention(sparsity=0.5, sinks=64, local=60)
    best = {"method": "squeezed_best", "kv_budget": 0.2, "bits": 2.0}
    settings.require_known(best, set())
    assert settings.read(best).engine == squeezed.SqueezedBest(kv_budget=0.2, bits=2.0)
    with pytest.raises(InputError, match="unknown model argument 'bits'"):
        settings.require_known({"method": "squeezed_topk", "bits": 2.0}, set())


def test_several_fields_are_tried_in_turn() -> None:
    assert settings.read({"context_field": "passage+context"}).cut.field == ("passage", "context")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "sqeezed"}, "unknown method 'sqeezed'; did you mean squeezed"),
        ({"method": "full", "page": 16}, "full has no page; leave it out"),
        ({"kv_budget": 2}, "method.kv_budget is 2"),
        ({"kv_budget": "much"}, "method.kv_budget"),
        ({"kv_budget": 0.2, "sparsity": 0.9}, "both given"),
        ({"kernels": "tritn"}, "kernels is 'tritn'; expected auto or .*did you mean triton"),
        ({"window": 0}, "index.window is 0"),
        ({"context_field": "a", "marker": "Q:"}, "context_field and marker are both given"),
        ({"method": "squeezed", "calibration_inputs": 2}, "calibration_inputs"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        settings.read(given)


def test_an_unknown_argument_is_named_with_the_one_that_is_meant() -> None:
    settings.require_known({"kv_budget": 1, "dtype": "x"}, {"dtype"})
    with pytest.raises(
        InputError, match="unknown model argument 'kv_buget'; did you mean kv_budget"
    ):
        settings.require_known({"kv_buget": 1}, {"dtype"})
