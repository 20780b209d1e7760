"""Dunnett's and Tukey's corrections beside SciPy's, simulated comparisons, and their bounds; Holm's rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tal_search.results.uncertainty.families import dunnett, holm, tukey, widest
from tal_search.types import Floats

HALF = 0.5  # the centre's share of a difference's variance where all cells have as many runs


def groups_of(random: np.random.Generator, groups: int, runs: int) -> tuple[Floats, Floats]:
    """Statistics and p values of groups beside a first one, with one variance for all."""
    values = random.normal(size=(groups + 1, runs)) + np.linspace(0, 1.5, groups + 1)[:, None]
    degrees = (groups + 1) * (runs - 1)
    error = math.sqrt(values.var(1, ddof=1).mean() * 2 / runs)
    t = (values[1:].mean(1) - values[0].mean()) / error
    expected = stats.dunnett(*values[1:], control=values[0], rng=np.random.default_rng(0))
    assert expected.statistic == pytest.approx(t)
    return 2 * stats.t.sf(np.abs(t), degrees), expected.pvalue


def adjusted(p: Floats, shared: float = HALF, degrees: float = 16) -> Floats:
    return dunnett(p, np.full(len(p), shared), np.full(len(p), degrees))


@pytest.mark.parametrize(("groups", "runs"), [(1, 5), (3, 3), (7, 3), (20, 4)])
def test_the_largest_difference_is_corrected_as_scipys(groups: int, runs: int) -> None:
    """SciPy's test is a single step, which the first step of the step-down rule is; later ones are smaller."""
    random = np.random.default_rng(0)
    for _ in range(4):
        p, expected = groups_of(random, groups, runs)
        found = adjusted(p, degrees=(groups + 1) * (runs - 1))
        first = int(np.argmin(p))
        assert found[first] == pytest.approx(expected[first], abs=2e-3)
        assert (found <= expected + 2e-3).all()


def test_each_step_is_the_first_of_what_is_left_until_one_is_not_significant() -> None:
    p = np.array([1e-6, 0.6, 0.002, 0.022, 1e-4, 0.3])
    found, order = adjusted(p), np.argsort(p)
    steps = np.maximum.accumulate([adjusted(p[order[place:]]).min() for place in range(len(p))])
    assert (steps < 0.05).tolist() == [True, True, True, False, False, False]
    assert found[order[:4]] == pytest.approx(steps[:4], rel=1e-6)
    left = np.array([0.022, 0.3, 0.6])
    single = [adjusted(np.array([one, 1.0, 1.0])).min() for one in left]
    assert found[order[3:]] == pytest.approx(single, rel=1e-6), "the rest are corrected for one another"


@pytest.mark.parametrize(("shared", "degrees"), [(0.05, 4), (0.3, 8), (0.5, 2), (0.5, 60), (0.7, 8), (0.9, 30)])
def test_it_is_the_chance_of_a_largest_difference_in_a_simulation(shared: float, degrees: float) -> None:
    random, cells, draws = np.random.default_rng(1), 28, 60_000
    centre, own = random.normal(size=(draws, 1)), random.normal(size=(draws, cells))
    scale = np.sqrt(random.chisquare(degrees, draws) / degrees)
    largest = np.abs(math.sqrt(shared) * centre + math.sqrt(1 - shared) * own).max(1) / scale
    for level in (0.3, 0.05, 0.01):
        p = np.full(cells, 0.99)
        p[3] = 2 * stats.t.sf(np.quantile(largest, 1 - level), degrees)
        error = math.sqrt(level * (1 - level) / draws)
        assert adjusted(p, shared, degrees)[3] == pytest.approx(level, abs=3 * error + 0.03 * level)


def test_cells_of_unequal_shares_are_corrected_by_a_multivariate_t() -> None:
    """As where some cells have fewer runs than the centre, and some are noisier."""
    random, draws, degrees = np.random.default_rng(2), 60_000, 12
    shared = np.array([0.1, 0.2, 0.35, 0.5, 0.5, 0.5, 0.6, 0.8, 0.95])
    centre, own = random.normal(size=(draws, 1)), random.normal(size=(draws, len(shared)))
    t = np.sqrt(shared) * centre + np.sqrt(1 - shared) * own
    largest = np.abs(t).max(1) / np.sqrt(random.chisquare(degrees, draws) / degrees)
    for level in (0.2, 0.05, 0.01):
        p = np.full(len(shared), 0.9)
        p[0] = 2 * stats.t.sf(np.quantile(largest, 1 - level), degrees)
        found = dunnett(p, shared, np.full(len(shared), degrees))
        error = math.sqrt(level * (1 - level) / draws)
        assert found[0] == pytest.approx(level, abs=3 * error + 0.03 * level)


P = st.lists(st.floats(1e-9, 1), min_size=1, max_size=25)


@settings(deadline=None, max_examples=60)
@given(P, st.sampled_from([0.05, HALF, 0.9]), st.sampled_from([2.0, 8.0, 200.0]))
def test_it_lies_between_no_correction_and_holms_in_the_order_of_p(
    found: list[float], shared: float, degrees: float
) -> None:
    p = np.array(found)
    corrected = adjusted(p, shared, degrees)
    assert (corrected >= p).all()
    strict = np.array(holm(found)) * 1.001 + 1e-3
    assert (corrected <= strict)[(strict < 0.05) | (p == p.min())].all(), "what is not significant is corrected as one"
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= -1e-12).all()
    assert (corrected <= 1).all()


def test_correlated_comparisons_need_less_correction() -> None:
    p = np.full(28, 0.002)
    corrected = [adjusted(p, shared)[0] for shared in (0.01, HALF, 0.9, 0.99)]
    assert corrected == sorted(corrected, reverse=True)
    assert corrected[-1] < 0.4 * corrected[0]


def test_what_is_unknown_takes_no_part() -> None:
    p = np.array([0.01, math.nan, 0.03])
    degrees = np.array([8, math.nan, 8])
    found = dunnett(p, np.full(3, HALF), degrees)
    assert found[[0, 2]] == pytest.approx(adjusted(p[[0, 2]], degrees=8))
    assert math.isnan(found[1])
    assert np.isnan(dunnett([math.nan] * 2, [HALF] * 2, [math.nan] * 2)).all()
    assert dunnett([], [], []).shape == (0,)


def test_certain_differences_stay_certain() -> None:
    found = adjusted(np.array([0.0, 1.0, 0.0]), degrees=3)
    assert found[[0, 2]] == pytest.approx(0, abs=1e-6)
    assert found[1] == 1


def test_ten_thousand_cells_take_part() -> None:
    """With a few real differences among them, which stay; the smallest of the others is one in ten thousand."""
    random = np.random.default_rng(3)
    p = random.random(10_000)
    p[:20] = 1e-9
    found = adjusted(p, degrees=200)
    assert (found[:20] < 1e-3).all()
    assert found[20:].min() > 0.05
    assert (found >= p).all()
    assert (np.diff(found[np.argsort(p)]) >= -1e-12).all()


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


@pytest.mark.parametrize(("groups", "runs"), [(3, 3), (8, 3), (20, 4)])
def test_all_pairs_are_corrected_as_scipys(groups: int, runs: int) -> None:
    random = np.random.default_rng(0)
    values, degrees = random.normal(size=(groups, runs)) + np.linspace(0, 2, groups)[:, None], groups * (runs - 1)
    error = math.sqrt(values.var(1, ddof=1).mean() * 2 / runs)
    delta = values[1:].mean(1) - values[0].mean()
    expected = stats.tukey_hsd(*values)
    p = 2 * stats.t.sf(np.abs(delta) / error, degrees)
    found = tukey(p, np.full(len(p), degrees), groups)
    assert found == pytest.approx(expected.pvalue[0, 1:], abs=1e-3)
    assert (found >= p).all()
    half = error * widest(np.full(len(p), degrees), groups)
    assert delta + half == pytest.approx(-expected.confidence_interval(0.95).low[0, 1:], abs=1e-3)
    at_bound = 2 * stats.t.sf(half / error, degrees)
    assert tukey(at_bound, np.full(len(p), degrees), groups) == pytest.approx(0.05, abs=1e-4), "interval and p agree"


def test_two_cells_are_one_pair_and_what_is_unknown_stays_so() -> None:
    p, degrees = np.array([0.03, np.nan]), np.array([6.0, np.nan])
    assert tukey(p, degrees, 2) == pytest.approx(p, nan_ok=True)
    assert widest(degrees, 2) == pytest.approx([stats.t.ppf(0.975, 6), np.nan], nan_ok=True)
    assert tukey(p, degrees, 5)[0] > 0.1
    assert np.isnan([tukey(p, degrees, 5)[1], widest(degrees, 5)[1]]).all()
    assert tukey([1e-300, 0.0, 1.0], [4.0, 4.0, 4.0], 400) == pytest.approx([0, 0, 1], abs=1e-3)
