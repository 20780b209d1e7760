"""How much noisier each cell is than all: equal ones are taken for equal, and a noisy one keeps its own noise."""

from __future__ import annotations

import numpy as np
import pytest

from tal_search.results.uncertainty.model import modelled
from tal_search.results.uncertainty.moderation import Noisiness
from tal_search.results.uncertainty.runs import Runs
from tal_search.types import Floats
from tests.support.drawn_runs import drawn

CELLS, DRAWS = 29, 60


def noisiness(
    random: np.random.Generator, noise: float | Floats, effects: float = 0.7, cells: int = CELLS
) -> Noisiness:
    runs = drawn(random, cells, seed=effects, annotator=effects, noise=noise)
    return modelled(runs, 0, "new annotators").noisy


@pytest.mark.parametrize("effects", [0.0, 0.7])
def test_equal_cells_stay_equal_in_most_studies(effects: float) -> None:
    random = np.random.default_rng(0)
    found = [noisiness(random, 1.0, effects) for _ in range(DRAWS)]
    equal = [np.median(one.ratio) == 1 and np.isinf(np.median(one.degrees)) for one in found]
    assert np.mean(equal) > 0.5
    assert np.mean([np.abs(one.ratio - 1).max() > 1 for one in found]) < 0.2, "and are taken for outliers seldom"


def test_a_cell_three_times_as_noisy_keeps_its_own() -> None:
    random, noise = np.random.default_rng(1), np.ones(CELLS)
    noise[7] = 3.0
    ratio = np.stack([noisiness(random, noise).ratio for _ in range(DRAWS)])
    others = np.delete(ratio, 7, axis=1)
    level = (9 + CELLS - 1) / CELLS  # of all cells, the variance that ratios are of
    assert np.median(ratio[:, 7]) == pytest.approx(9 / level, rel=0.4)
    assert np.mean(ratio[:, 7] > 3) > 0.8
    assert np.median(others) == pytest.approx(1, abs=0.3)
    assert np.mean(others > 3) < 0.01


def test_an_axis_of_noisy_cells_is_drawn_to_its_noise() -> None:
    """Four of 28 cells, as of one axis, whose noise is three times that of the others."""
    random, noise = np.random.default_rng(2), np.ones(CELLS)
    noise[1:5] = 3.0
    found = [noisiness(random, noise) for _ in range(DRAWS)]
    ratio = np.stack([one.ratio for one in found])
    level = (4 * 9 + CELLS - 4) / CELLS
    assert ratio[:, 1:5].mean() == pytest.approx(9 / level, rel=0.35)
    assert ratio[:, 5:].mean() == pytest.approx(1 / level, rel=0.6)
    assert np.mean(ratio[:, 1:5].min(1) > ratio[:, 5:].mean(1)) > 0.9
    assert np.median([np.median(one.degrees) for one in found]) < 30, "each has degrees of freedom of its own"


def test_a_noisy_centre_is_one_too() -> None:
    random, noise = np.random.default_rng(3), np.ones(CELLS)
    noise[0] = 4.0
    ratio = np.stack([noisiness(random, noise).ratio for _ in range(DRAWS)])
    assert np.mean(ratio[:, 0] > 3) > 0.8


def test_cells_unequal_by_a_factor_are_moderated_not_taken_as_they_are() -> None:
    """Standard deviations of .5, 1 and 2: a cell's own estimate of eight degrees of freedom scatters more."""
    random = np.random.default_rng(4)
    noise = np.resize([0.5, 1.0, 2.0], CELLS)
    true = noise**2 / np.mean(noise**2)
    for _ in range(3):
        runs = drawn(random, CELLS, noise=noise, repeat=0.0)
        own = runs.value.var(1, ddof=1) / np.mean(noise**2)
        ratio = modelled(runs, 0, "new annotators").noisy.ratio
        assert np.abs(np.log(ratio / true)).mean() < 1.2 * np.abs(np.log(own / true)).mean()
        assert np.corrcoef(np.log(ratio), np.log(true))[0, 1] > 0.7
        assert np.std(np.log(ratio)) < np.std(np.log(own)), "drawn to each other"


def test_too_few_cells_cannot_be_judged_and_silent_ones_take_no_part() -> None:
    random = np.random.default_rng(5)
    noise = np.array([1.0, 1, 1, 1, 20])
    few = noisiness(random, noise, cells=5)
    assert few.ratio.tolist() == [1] * 5
    assert np.isinf(few.degrees).all()
    runs = drawn(random, 10)
    value = runs.value.copy()
    value[3, 1:] = np.nan
    alone = modelled(
        Runs(value=value, seed=runs.seed, annotator=runs.annotator, single=runs.single), 0, "new annotators"
    )
    assert alone.noisy.ratio[3] == pytest.approx(1, abs=0.5), "of one run nothing is known"
