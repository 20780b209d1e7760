"""Paired differences beside SciPy's, Holm's rule beside its definition, and what a verdict says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tal_search.results.statistics import Difference, difference, holm, interval, repeatability, verdicts

VALUES = st.lists(st.floats(0, 100).map(lambda value: round(value, 2)), min_size=2, max_size=12)


@given(VALUES, st.integers(0, 2**32 - 1))
def test_a_difference_is_scipys_paired_t_test(cell: list[float], seed: int) -> None:
    centre = np.random.default_rng(seed).normal(50, 3, len(cell))
    found = difference(dict(enumerate(cell)), dict(enumerate(centre)))
    expected = stats.ttest_rel(cell, centre)
    bounds = expected.confidence_interval(0.95)
    assert (found.n, found.mean) == (len(cell), pytest.approx(np.mean(cell - centre)))
    assert (found.low, found.high, found.p) == pytest.approx((bounds.low, bounds.high, expected.pvalue), rel=1e-6)


@given(VALUES)
def test_an_interval_is_scipys(values: list[float]) -> None:
    found = interval(values)
    if np.std(values) == 0:
        assert found.low == found.mean == found.high
    else:
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_only_common_repeats_are_compared() -> None:
    found = difference({("A1", 0): 3.0, ("A2", 0): 5.0, ("A3", 0): 9.0}, {("A2", 0): 4.0, ("A1", 0): 1.0})
    assert (found.n, found.mean) == (2, 1.5)


def test_one_repeat_has_no_interval_and_none_has_nothing() -> None:
    one, none = difference({0: 2.0}, {0: 1.0}), difference({0: 2.0}, {1: 1.0})
    assert (one.n, one.mean, one.low, one.high) == (1, 1.0, -math.inf, math.inf)
    assert math.isnan(one.p)
    assert none.n == 0
    assert math.isnan(none.mean)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_its_definition(p: list[float]) -> None:
    """The adjusted p is the least level at which Holm's procedure rejects."""
    adjusted = holm(p)
    for level in [0.01, 0.05, 0.2, 0.5]:
        rejected, left = set(), sorted(range(len(p)), key=lambda index: p[index])
        while left and p[left[0]] * len(left) <= level:
            rejected.add(left.pop(0))
        assert rejected == {index for index, value in enumerate(adjusted) if value <= level}


def test_holm_leaves_out_what_is_unknown() -> None:
    found = holm([0.03, math.nan, 0.01])
    assert found[::2] == [0.03, 0.02]
    assert math.isnan(found[1])


def test_the_repeatability_limit_covers_95_of_100_pairs_of_runs() -> None:
    runs = np.random.default_rng(0).normal(30, 2, (2, 20_000))
    assert np.mean(np.abs(runs[0] - runs[1]) <= repeatability(runs[0])) == pytest.approx(0.95, abs=0.01)
    assert math.isnan(repeatability([1.0]))


def test_a_verdict_needs_an_effect_or_an_interval_inside_the_noise() -> None:
    cells = [
        Difference(5, 3.0, 2.0, 4.0, 0.001),
        Difference(5, -3.0, -4.0, -2.0, 0.001),
        Difference(5, 0.1, -0.9, 1.1, 0.8),
        Difference(3, 0.5, -4.0, 5.0, 0.7),
        Difference(1, 6.0, -math.inf, math.inf, math.nan),
        Difference(0, math.nan, math.nan, math.nan, math.nan),
    ]
    expected = ["better", "worse", "within noise", "needs repeats", "needs repeats", "needs repeats"]
    assert verdicts(cells, noise=2.0) == expected
    assert verdicts(cells[2:3], noise=math.nan) == ["needs repeats"], "a centre of one repeat has no known noise"


def test_many_cells_are_corrected_for_together() -> None:
    weak = Difference(4, 1.0, 0.1, 1.9, 0.04)
    assert verdicts([weak], noise=0.5) == ["better"]
    assert verdicts([weak, weak, weak], noise=0.5) == ["needs repeats"] * 3
