"""Static choices are made once a context, and stay what they were when made for every conversation."""

import dataclasses
from dataclasses import dataclass

import pytest
import torch

import squeezed
from squeezed.methods import BudgetedMethod, Static
from tests.squeezed.conftest import random_ids

CHOICES = {
    "snapkv": squeezed.SnapKV(sparsity=0.7),
    "h2o": squeezed.H2O(sparsity=0.7),
    "random": squeezed.Random(sparsity=0.7),
    "streaming": squeezed.StreamingLLM(sparsity=0.7),
}


@pytest.fixture
def calls(monkeypatch):
    """First layers of each time that a method made its selectors."""
    made = []
    for cls in {type(method) for method in CHOICES.values()}:
        real = cls.selectors

        def counted(self, context, first, size, backend, real=real):
            made.append(first)
            return real(self, context, first, size, backend)

        monkeypatch.setattr(cls, "selectors", counted)
    return made


@pytest.fixture
def fresh(ctx):
    """The context with nothing derived from it yet."""
    return dataclasses.replace(ctx)


@pytest.mark.parametrize("name", CHOICES)
def test_it_is_made_once_for_all_conversations(model, fresh, calls, name):
    for seed in range(3):
        question = random_ids(7, seed)
        squeezed.generate(model, fresh, question, method=CHOICES[name], max_new_tokens=2)
    fresh.cache(CHOICES[name]).reset()
    assert calls == [0]


@pytest.mark.parametrize("name", CHOICES)
def test_it_is_what_would_be_chosen_anew(fresh, name):
    method = CHOICES[name]
    first, again = method.bind(fresh, "reference"), method.bind(fresh, "reference")
    anew = method.bind(dataclasses.replace(fresh), "reference")
    query = torch.zeros(2, 4, 3, 16)
    for one, two, three in zip(first, again, anew, strict=True):
        keep = one.select(query, None).keep
        assert torch.equal(two.select(query, None).keep, keep)
        assert torch.equal(three.select(query, None).keep, keep)
        assert keep.shape[0] == 2


def test_other_settings_and_other_backends_are_other_choices(fresh, calls):
    for number, (sparsity, backend) in enumerate(
        [(0.7, "reference"), (0.5, "reference"), (0.7, "cpu")], start=1
    ):
        squeezed.SnapKV(sparsity=sparsity).bind(fresh, backend)
        assert len(calls) == number
    squeezed.SnapKV(sparsity=0.7).bind(fresh, "cpu")
    assert len(calls) == 3


def test_what_looks_at_the_question_is_chosen_for_each(fresh, calls):
    method = squeezed.SnapKV(sparsity=0.7, observe="input")
    one, other = (method.bind(fresh, "reference")[0] for _ in range(2))
    assert one is not other
    assert len(calls) == 2


def test_settings_that_are_no_key_still_work(fresh):
    @dataclass(frozen=True)
    class Listed(BudgetedMethod):
        heads: list = dataclasses.field(default_factory=list)

        def selector(self, context, number, size, backend):
            return Static(torch.ones_like(context.layers[number].positions, dtype=torch.bool))

    assert len(Listed(heads=[1, 2]).bind(fresh, "reference")) == len(fresh.layers)
