"""The noise floor: the difference that two runs of one cell exceed in 5 of 100 pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tal_search.results.statistics import floor
from tal_search.results.uncertainty.runs import Runs


def runs_with(value: np.ndarray) -> Runs:
    """A row a cell, a column a seed."""
    seeds = np.arange(value.shape[1])
    return Runs(value=value, seed=seeds, annotator=0 * seeds, single=np.zeros(len(value), np.bool_))


@pytest.mark.parametrize("cells", [1, 5, 30])
def test_the_noise_floor_covers_95_of_100_pairs_of_runs(cells: int) -> None:
    """Of the centre's own runs where cells are few, of all cells' where they are many."""
    random, seeds = np.random.default_rng(0), 4 if cells == 30 else 40
    inside = []
    for _ in range(150):
        runs = runs_with(random.normal(30, 2, (cells, seeds)))
        pairs = random.normal(30, 2, (2, 1000))
        inside.append(np.mean(np.abs(pairs[0] - pairs[1]) <= floor(runs, 0)[0]))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)
    assert floor(runs, 0)[1] == (cells * seeds if cells == 30 else seeds)


def test_a_noise_floor_needs_two_runs_of_the_centre_or_many_cells() -> None:
    random = np.random.default_rng(1)
    one = random.normal(30, 2, (8, 3))
    one[0, 1:] = np.nan
    assert math.isnan(floor(runs_with(one[:4]), 0)[0])
    assert floor(runs_with(one), 0)[0] > 0, "the other seven tell"
    assert math.isnan(floor(runs_with(one[:1, :1]), 0)[0])


def test_a_centre_far_noisier_than_all_has_a_floor_of_its_own() -> None:
    value = np.random.default_rng(2).normal(30, 1, (12, 10))
    value[0] = 30 + 20 * (value[0] - 30)
    assert floor(runs_with(value), 0)[0] == pytest.approx(1.96 * math.sqrt(2) * value[0].std(ddof=1), rel=0.35)
