"""Distributions of planned axes: their kind, their bounds, and what widening keeps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tal_search.record.distributions import choice, distribution_of, widened


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 1, 5], IntDistribution(1, 5)),
        ([1, 10], IntDistribution(1, 10, log=True)),
        ([0, 10], IntDistribution(0, 10)),
        ([0.25, 4], FloatDistribution(0.25, 4.0, log=True)),
        ([0.5, 1.0], FloatDistribution(0.5, 1.0)),
        ([-1.0, 10.0], FloatDistribution(-1.0, 10.0)),
        ([True, False, True], CategoricalDistribution((True, False))),
        ([1, True], CategoricalDistribution((1, True))),
        ([None, 8], CategoricalDistribution((None, 8))),
        (["paper", 0.5], CategoricalDistribution(("paper", 0.5))),
        ([[1, 2], {"b": 1, "a": 2}], CategoricalDistribution(("[1,2]", '{"a":2,"b":1}'))),
    ],
)
def test_an_axis_spans_exactly_its_values(values: list[object], expected: BaseDistribution) -> None:
    assert distribution_of(values) == expected


VALUES = st.lists(st.one_of(st.integers(-9, 9), st.floats(-9, 9), st.booleans(), st.none()), min_size=1, max_size=4)


@given(VALUES, VALUES)
def test_a_widened_distribution_keeps_every_stored_value(old: list[object], new: list[object]) -> None:
    first, second = distribution_of(old), distribution_of(new)
    if isinstance(first, CategoricalDistribution) != isinstance(second, CategoricalDistribution):
        with pytest.raises(ValueError, match="no common distribution"):
            widened(first, second)
        return
    both = widened(first, second)
    for values, before in ((old, first), (new, second)):
        for value in map(choice, values):
            stored = both.to_internal_repr(value)
            assert both._contains(stored)
            assert values is new or stored == before.to_internal_repr(value), "what is stored keeps its meaning"
