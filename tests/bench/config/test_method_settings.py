"""From a method's settings to the engine's method, parameters that only one method has included."""

from dataclasses import dataclass

import pytest

import squeezed
from bench.config.errors import InputError
from bench.config.method_settings import method_spec
from bench.config.schema import MethodConf


@dataclass(frozen=True)
class Pooled(squeezed.StreamingLLM):
    """A method with a parameter that ``MethodConf`` does not have."""

    pool: int = 5


def test_a_new_method_brings_parameters_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(squeezed.METHODS, "pooled", Pooled)
    spec = method_spec(MethodConf(name="pooled", sparsity=0.5, own={"pool": 7}))
    assert dict(spec.parameters)["pool"] == 7
    assert dict(spec.changed)["pool"] == 7
    assert dict(method_spec(MethodConf(name="pooled")).parameters)["pool"] == 5
    for wrong in ({"pol": 7}, {"sinks": 7}):  # sinks has a field, so it is not the method's own
        with pytest.raises(InputError, match="no such parameter; known: pool"):
            method_spec(MethodConf(name="pooled", own=wrong))
