"""Differences of many cells to one centre: beside SciPy, beside loops over a whole study, and what a claim is for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tal_search.results.uncertainty.contrasts import Contrasts, Spread, bounds, contrasts, judged
from tal_search.results.uncertainty.model import modelled
from tal_search.results.uncertainty.runs import Runs
from tal_search.text.words import around
from tests.support.drawn_runs import drawn, repeats_of, without
from tests.support.plain_statistics import Shares, difference, of_study, two_way, variance_and_degrees

NUMBERS = ("delta", "error", "degrees", "low", "high", "p", "adjusted")


def test_two_cells_of_one_annotator_are_scipys_paired_t_test() -> None:
    random = np.random.default_rng(0)
    for seeds in (3, 5, 10):
        runs = drawn(random, 2, seeds, 1, seed=1.0)
        found, expected = contrasts(runs, 0), stats.ttest_rel(runs.value[1], runs.value[0])
        bounds = expected.confidence_interval(0.95)
        assert found.degrees[1] == pytest.approx(seeds - 1)
        got = (found.p[1], found.low[1], found.high[1])
        assert got == pytest.approx((expected.pvalue, bounds.low, bounds.high), rel=1e-9)
        assert found.adjusted[1] == pytest.approx(found.p[1], rel=1e-3)


@pytest.mark.parametrize(("seed", "annotator"), [(0, 0), (0.7, 0.7), (1.5, 0), (0, 1.5)])
def test_two_cells_of_seeds_and_annotators_are_the_loops(seed: float, annotator: float) -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        runs = drawn(random, 2, seed=seed, annotator=annotator)
        cell, centre = repeats_of(runs, 1), repeats_of(runs, 0)
        found, expected = contrasts(runs, 0), difference(cell, centre)
        got = (found.pairs[1], found.delta[1], found.high[1] - found.delta[1], found.p[1])
        assert got == pytest.approx(tuple(expected))
        differences = two_way({repeat: value - centre[repeat] for repeat, value in cell.items()})
        variance, degrees = variance_and_degrees(differences, Shares(1 / 3, 1 / 3, 1 / 9))
        assert (found.error[1], found.degrees[1]) == pytest.approx((math.sqrt(variance), degrees))


@pytest.mark.parametrize(("seed", "annotator"), [(0, 0), (0.7, 0.7), (1.5, 0), (0, 1.5)])
def test_cells_of_a_study_share_their_variances(seed: float, annotator: float) -> None:
    random, judged = np.random.default_rng(2), 0
    for _ in range(20):
        runs = drawn(random, 9, seed=seed, annotator=annotator)
        found = contrasts(runs, 0)
        if not (modelled(runs, 0, "new annotators").noisy.ratio == 1).all():
            continue
        judged += 1
        variance, degrees = variance_and_degrees(
            of_study([repeats_of(runs, cell) for cell in range(9)]), Shares(2 / 3, 2 / 3, 2 / 9)
        )
        assert found.error[1:] == pytest.approx(math.sqrt(variance))
        assert found.degrees[1:] == pytest.approx(degrees)
        delta = runs.value[1:].mean(1) - runs.value[0].mean()
        assert found.delta[1:] == pytest.approx(delta)
        assert found.p[1:] == pytest.approx(2 * stats.t.sf(np.abs(delta) / math.sqrt(variance), degrees))
    assert judged > 8, "equal cells are mostly taken for equal"


def test_with_few_cells_each_stands_beside_the_centre_alone() -> None:
    """Whether three or four cells are equally noisy cannot be judged."""
    runs = drawn(np.random.default_rng(3), 5, seed=0.7, annotator=0.7, noise=np.array([1.0, 1, 1, 1, 30]))
    found = contrasts(runs, 0)
    for cell in range(1, 5):
        alone = difference(repeats_of(runs, cell), repeats_of(runs, 0))
        assert found.p[cell] == pytest.approx(alone.p)
        assert found.high[cell] - found.delta[cell] > alone.half, "four intervals at once are wider than one"
    assert found.error[4] > 5 * found.error[1:4].max()


@pytest.mark.parametrize("cells", [2, 4, 12])
def test_an_interval_leaves_nothing_out_where_p_is_below_its_level(cells: int) -> None:
    random, sides = np.random.default_rng(4), set()
    for _ in range(30):
        runs = drawn(random, cells, seed=0.7, annotator=0.7, noise=1 + random.random(cells))
        runs = without(runs, [(cell, cell % 9) for cell in range(1, cells)])
        found = contrasts(runs, 0)
        outside = (found.low[1:] > 0) | (found.high[1:] < 0)
        assert (outside | (found.low[1:] == 0) | (found.high[1:] == 0) == (found.adjusted[1:] < 0.05)).all()
        assert (found.adjusted[1:] >= found.p[1:]).all()
        whole = (found.low != 0) & (found.high != 0)
        assert (found.high - found.delta)[whole] == pytest.approx((found.delta - found.low)[whole], nan_ok=True)
        sides |= {*outside.tolist()}
        assert found.delta[0] == 0
        assert np.isnan([found.low[0], found.p[0], found.adjusted[0]]).all(), "the centre is not beside itself"
    assert sides == {True, False}


def test_below_three_common_repeats_there_is_no_interval() -> None:
    runs = drawn(np.random.default_rng(5), 8)
    runs = without(runs, [(1, repeat) for repeat in range(2, 9)] + [(2, repeat) for repeat in range(3, 9)])
    found = contrasts(runs, 0)
    assert found.pairs.tolist() == [9, 2, 3, 9, 9, 9, 9, 9]
    for name in ("low", "high", "p", "adjusted", "error"):
        assert np.isfinite(getattr(found, name)).tolist() == [False, False, *[True] * 6]
    assert found.delta[1] == pytest.approx((runs.value[1] - runs.value[0])[:2].mean())


def test_missing_runs_leave_the_difference_to_the_repeats_that_are_there() -> None:
    runs = drawn(np.random.default_rng(6), 12, repeat=50.0)
    whole, fewer = contrasts(runs, 0), contrasts(without(runs, [(3, 0), (3, 5), (0, 7)]), 0)
    assert fewer.pairs[2:5].tolist() == [8, 6, 8]
    kept = [1, 2, 3, 4, 6, 8]
    assert fewer.delta[3] == pytest.approx((runs.value[3] - runs.value[0])[kept].mean())
    assert fewer.error[3] > whole.error[3]
    assert np.nanmax(fewer.error) < 2 * np.nanmin(fewer.error), "what repeats add to all cells takes no part"


@pytest.mark.parametrize(("noise", "others"), [(1, 1.2), (3, 1.3), (6, 1.6)])
def test_a_noisy_cell_has_an_interval_of_its_own_and_leaves_the_others_theirs(noise: float, others: float) -> None:
    """Too wide by this much at most; it is also what is left of the noisy one in what all cells have in common."""
    random, of_each = np.random.default_rng(9), np.ones(29)
    of_each[5] = noise
    error = np.mean([contrasts(drawn(random, 29, noise=of_each), 0).error for _ in range(40)], axis=0)
    assert 0.9 < error[5] / np.sqrt((noise**2 + 1) / 9) < 1.3
    rest = np.delete(error, [0, 5]) / np.sqrt(2 / 9)
    assert rest.min() > 0.9
    assert rest.max() < others


def test_cells_in_another_order_have_the_same_numbers() -> None:
    random = np.random.default_rng(10)
    runs = drawn(random, 14, seed=0.7, annotator=0.7, noise=1 + random.random(14))
    runs = without(runs, [(4, 2), (6, 8)])
    cells, repeats = np.r_[0, 1 + random.permutation(13)], random.permutation(9)
    other = Runs(
        value=runs.value[cells][:, repeats], seed=5 - runs.seed[repeats], annotator=runs.annotator[repeats] + 3,
        single=runs.single,
    )  # fmt: skip
    one, another = contrasts(runs, 0), contrasts(other, 0)
    for name in NUMBERS:
        assert getattr(another, name) == pytest.approx(getattr(one, name)[cells], nan_ok=True, rel=1e-9)


@pytest.mark.parametrize("delta", [0.0, 1e-14, -3e-15])
def test_the_rounding_of_equal_scores_is_no_difference(delta: float) -> None:
    spread = Spread(
        variance=np.array([1e-30, 4.0]), degrees=np.array([4.0, 4.0]), by_annotator=np.zeros(2), shared=np.full(2, 0.5)
    )
    found = judged(np.array([delta, 3.0]), np.array([3, 3]), spread)
    assert found.p[0] == found.adjusted[0] == 1
    assert found.delta[0] == found.low[0] == found.high[0] == 0


def test_an_interval_that_only_the_step_down_rule_narrows_excludes_0() -> None:
    low, high = bounds(np.array([2.0, -2.0, 2.0]), np.full(3, 3.0), np.array([0.01, 0.01, 0.2]))
    assert low[0] > 0
    assert high[1] < 0
    assert low[2] == -1
    assert around(2.0, float(low[0]), float(high[0])) == " [>0, 5]"
    assert around(-2.0, float(low[1]), float(high[1])) == " [-5, <0]"


def test_equal_runs_are_no_difference_and_a_shift_of_all_is_a_certain_one() -> None:
    runs = drawn(np.random.default_rng(11), 1)
    value = np.vstack([runs.value, runs.value, runs.value + 3])
    found: Contrasts = contrasts(
        Runs(value=value, seed=runs.seed, annotator=runs.annotator, single=np.zeros(3, bool)), 0
    )
    assert found.delta.tolist() == [0, 0, pytest.approx(3)]
    assert (found.low[1], found.high[1], found.p[1]) == pytest.approx((0, 0, 1))
    assert (found.low[2], found.high[2]) == pytest.approx((3, 3))
    assert found.adjusted[2] < 1e-6
