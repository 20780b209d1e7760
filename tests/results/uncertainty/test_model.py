"""The model of a study's runs: what it claims for which annotators, and the variance of single runs beside a loop."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
import pytest

from tal_search.results.uncertainty.components import Weights
from tal_search.results.uncertainty.contrasts import contrasts
from tal_search.results.uncertainty.model import modelled, run_variance
from tal_search.results.uncertainty.moderation import LEAST_CELLS
from tests.support.drawn_runs import drawn, without

NUMBERS = ("delta", "error", "degrees", "low", "high", "p", "adjusted")


@pytest.mark.parametrize("cells", [2, 12])
def test_a_claim_for_these_annotators_is_narrower_where_annotators_differ(cells: int) -> None:
    random, ratios = np.random.default_rng(7), []
    for _ in range(10):
        runs = drawn(random, cells, 5, 3, annotator=1.5)
        new, these = contrasts(runs, 0), contrasts(runs, 0, "these annotators")
        assert these.delta == pytest.approx(new.delta)
        assert (these.by_annotator == 0).all()
        assert (these.error[1:] <= new.error[1:] + 1e-12).all()
        ratios.append(float((these.error / new.error)[1:].mean()))
    assert fmean(ratios) < 0.6
    assert new.by_annotator[1] > 0.5 * new.error[1] ** 2, "most of the spread is what annotators add"


def test_of_one_annotator_the_claim_is_for_that_one() -> None:
    runs = drawn(np.random.default_rng(8), 12, 5, 1, annotator=5.0)
    new, these = contrasts(runs, 0), contrasts(runs, 0, "these annotators")
    for name in NUMBERS:
        assert getattr(new, name) == pytest.approx(getattr(these, name), nan_ok=True)


@pytest.mark.parametrize("cells", [LEAST_CELLS, LEAST_CELLS + 1])
def test_the_variance_of_single_runs_is_pooled_where_cells_are_many(cells: int) -> None:
    """Each cell has another number of runs; the last has one and tells nothing."""
    runs = drawn(np.random.default_rng(12), cells, repeat=0.0)
    runs = without(runs, [(cell, repeat) for cell in range(cells - 1) for repeat in range(cell % 4)])
    runs = without(runs, [(cells - 1, repeat) for repeat in range(1, 9)])
    model = modelled(runs, 0, "new annotators")
    values = [[value for value in row.tolist() if not math.isnan(value)] for row in runs.value]
    pool = values[:-1] if cells >= LEAST_CELLS + 1 else values[:1]
    squares = sum((value - fmean(row)) ** 2 for row in pool for value in row)
    expected = squares / sum(len(row) - 1 for row in pool) * model.noisy.ratio[0]
    assert run_variance(model, 0) == (pytest.approx(expected), sum(map(len, pool)))
    if pool == values[:1]:
        assert math.isnan(run_variance(model, cells - 1)[0])


def test_of_runs_of_one_seed_alone_nothing_is_known() -> None:
    model = modelled(drawn(np.random.default_rng(13), 12, 1, 1), 0, "new annotators")
    assert model.degrees == 0
    variance, count = run_variance(model, 0)
    assert (math.isnan(variance), count) == (True, 0)


def test_more_seeds_leave_the_part_of_annotators() -> None:
    """The variance of a mean is three components, each times its weight; a quiet cell has a smaller residual alone."""
    runs = drawn(np.random.default_rng(14), 12, 5, 3, annotator=1.5, seed=0.7)
    model = modelled(runs, 0, "new annotators")
    ones = np.ones(1)
    share, parts = Weights(0.5 * ones, 0.25 * ones, 0.1 * ones), model.common
    seeds, annotators, rest = 0.5 * parts.seed, 0.25 * parts.annotator, 0.1 * parts.rest
    for ratio, effects in ((0.5, 1.0), (1.0, 1.0), (3.0, 3.0)):
        of_seeds, of_annotators, of_rest = effects * seeds, effects * annotators, ratio * rest
        assert model.variance(share, ratio * ones) == pytest.approx(of_seeds + of_annotators + of_rest)
        assert model.by_annotator(share, ratio * ones) == pytest.approx(of_annotators)
    assert annotators > seeds
