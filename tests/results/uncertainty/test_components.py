"""Variance components beside loops, least squares and simulated runs."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.results.uncertainty.components import Squares, components, squares, weights
from tal_search.results.uncertainty.contrasts import contrasts
from tal_search.results.uncertainty.runs import Runs, residuals
from tests.support.drawn_runs import drawn, repeats_of, without
from tests.support.plain_statistics import NONE, Analysis, analysis, two_way

PARTS = ("seed", "annotator", "rest")


def of_cell(found: Squares, cell: int) -> list[float]:
    """Sum and degrees of freedom of each part, and what an effect of seeds and of annotators adds to its part."""
    parts = [getattr(found, name) for name in PARTS]
    numbers = [float(value[cell]) for part in parts for value in (part.sum, part.df)]
    return [*numbers, float(parts[0].load[cell]), float(parts[1].load[cell])]


def plain(found: Analysis) -> list[float]:
    return [*(value for part in found for value in (part.sum, part.df)), found.seed.load, found.annotator.load]


@pytest.mark.parametrize(("seeds", "annotators"), [(3, 3), (5, 3), (2, 4), (10, 1), (1, 3), (2, 2)])
def test_sums_of_squares_are_those_of_a_two_way_analysis_of_variance(seeds: int, annotators: int) -> None:
    runs = drawn(np.random.default_rng(0), 4, seeds, annotators, seed=0.7, annotator=1.5)
    found = squares(runs.value, runs)
    for cell in range(4):
        assert of_cell(found, cell) == pytest.approx(plain(two_way(repeats_of(runs, cell))), abs=1e-9)


def test_with_missing_runs_they_are_the_reductions_of_least_squares() -> None:
    random = np.random.default_rng(1)
    runs = drawn(random, 60, 4, 3, seed=0.7, annotator=1.5)
    runs = without(runs, [(cell, repeat) for cell in range(60) for repeat in random.permutation(12)[: cell % 12]])
    found = squares(runs.value, runs)
    for cell in range(60):
        assert of_cell(found, cell) == pytest.approx(plain(analysis(repeats_of(runs, cell))), abs=1e-9)
    assert len({tuple(of_cell(found, cell)[1::2]) for cell in range(60)}) > 5, "many patterns of missing runs"


@pytest.mark.parametrize(
    ("seed", "annotator", "seeds", "annotators", "missing"),
    [(0.7, 1.5, 3, 3, 0), (1.5, 0.7, 5, 3, 0), (1.0, 1.0, 4, 4, 5), (1.5, 0.0, 10, 1, 0), (0.0, 0.0, 3, 3, 0)],
)
def test_variances_are_recovered_from_simulated_runs(
    seed: float, annotator: float, seeds: int, annotators: int, missing: int
) -> None:
    """Of one cell at a time they are noisy; of 4000 cells they are what was drawn."""
    random = np.random.default_rng(4)
    runs = drawn(random, 4000, seeds, annotators, seed=seed, annotator=annotator, noise=2.0, repeat=3.0)
    gone = random.permutation(seeds * annotators)[:missing]
    left, kept, _ = residuals(without(runs, [(cell, repeat) for cell in range(0, 4000, 2) for repeat in gone]))
    found = components(squares(left, runs).pooled(kept))
    expected = [4 * seed**2, 4 * annotator**2 * (annotators > 1), 4.0]
    got = [found.seed[0], found.annotator[0], found.rest[0]]
    if annotators == 1:  # a seed's part cannot be told from the rest, and is no smaller
        expected, got = [expected[0] + expected[2]], [found.of_run[0]]
    assert got == pytest.approx(expected, rel=0.06, abs=0.06)


def test_expected_sums_of_squares_are_load_times_component_plus_degrees_times_rest() -> None:
    random = np.random.default_rng(5)
    runs = drawn(random, 20_000, 3, 3, seed=1.5, annotator=0.7, repeat=0.0)
    runs = without(runs, [(cell, repeat) for cell in range(20_000) for repeat in (1, 5)])
    found = squares(runs.value, runs)
    for part, component in ((found.seed, 2.25), (found.annotator, 0.49)):
        assert part.sum.mean() == pytest.approx(part.load[0] * component + part.df[0], rel=0.02)
    assert (found.rest.sum.mean(), found.rest.df[0]) == (pytest.approx(2.0, rel=0.02), 2)


def test_a_component_below_the_rest_is_pooled_with_it() -> None:
    """At 3 × 3 without effects, most cells have the eight degrees of freedom of independent runs."""
    runs = drawn(np.random.default_rng(6), 500)
    found = components(squares(runs.value, runs))
    assert (np.stack([found.seed, found.annotator, found.rest]) >= 0).all()
    share = weights(np.full((500, 9), 1 / 9), runs)
    independent = (found.seed == 0) & (found.annotator == 0)
    assert 0.5 < independent.mean() < 0.8
    assert found.degrees(share)[independent] == pytest.approx(8)
    assert (found.degrees(share)[~independent] < 8).all()
    assert found.variance(share)[independent] == pytest.approx(runs.value.var(1, ddof=1)[independent] / 9)


def test_a_cell_that_reads_no_clicks_stands_once_a_seed() -> None:
    """Its runs have no annotator, and their mean has as many independent parts as seeds."""
    runs = drawn(np.random.default_rng(7), 3, 4, 3)
    value = np.hstack([runs.value, np.full((3, 4), np.nan)])
    value[2] = [*[np.nan] * 12, 1.0, 2.0, 4.0, 8.0]
    seed, annotator = np.r_[runs.seed, np.arange(4)], np.r_[runs.annotator, np.full(4, 3)]
    mixed = Runs(value=value, seed=seed, annotator=annotator, single=np.array([False, False, True]))
    left, _, _ = residuals(mixed)
    assert np.isfinite(left).sum(1).tolist() == [12, 12, 4]
    found = squares(left, mixed)
    assert [part.df[2] for part in (found.seed, found.annotator, found.rest)] == [3, 0, 0]
    share = weights(mixed.present / mixed.present.sum(1)[:, None], mixed)
    assert (share.seed[2], share.annotator[2], share.run[2]) == (0.25, 0, 0.25)
    assert (share.seed[0], share.annotator[0], share.run[0]) == pytest.approx((1 / 4, 1 / 3, 1 / 12))
    expected = plain(analysis({(seed, NONE): value for seed, value in enumerate([1.0, 2, 4, 8])}))
    assert of_cell(squares(value, mixed), 2) == pytest.approx(expected)
    paired = contrasts(mixed, 0)
    assert paired.pairs.tolist() == [12, 12, 4]
    by_seed = runs.value[0].reshape(4, 3).mean(1)
    assert paired.delta[2] == pytest.approx(np.mean([1.0, 2, 4, 8] - by_seed))


@pytest.mark.parametrize("cells", [2, 10])
def test_nothing_can_be_said_where_all_runs_have_one_seed(cells: int) -> None:
    runs = drawn(np.random.default_rng(8), cells, 1, 6)
    found = contrasts(runs, 0)
    assert np.isfinite(found.delta).all()
    assert found.pairs.tolist() == [6] * cells
    for numbers in (found.low, found.high, found.p, found.adjusted, found.error):
        assert np.isnan(numbers).all()


def test_seeds_that_each_have_an_annotator_of_their_own_are_independent_repeats() -> None:
    runs = drawn(np.random.default_rng(9), 2, 6, 1)
    apart = Runs(value=runs.value, seed=runs.seed, annotator=np.arange(6), single=runs.single)
    found, beside = contrasts(apart, 0), contrasts(runs, 0)
    assert (found.p[1], found.low[1], found.degrees[1]) == pytest.approx((beside.p[1], beside.low[1], 5))
