"""What verdicts promise, on drawn studies whose truth is known: 28 cells and a centre, on 7 axes.

Few studies with fixed seeds, so each bound has two Monte-Carlo standard errors added; `benchmarks/bench_verdicts.py`
prints the whole table.
"""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from tal_search.results.axis_effects import axis_effects
from tal_search.results.uncertainty.contrasts import Family, contrasts
from tests.support.drawn_runs import drawn, one_at_a_time, study_of, without

CELLS = 29
EQUAL, UNEQUAL = np.ones(CELLS), np.resize([1.0, 0.5, 2.0], CELLS)
EFFECTS = [(0.0, 0.0), (0.7, 0.7), (1.5, 0.0)]  # of annotators and of seeds, in standard deviations of the rest
MOST_FALSE, LEAST_FOUND = 0.06, 0.80


def two_errors(share: float, studies: int) -> float:
    return 2 * math.sqrt(share * (1 - share) / studies)


@pytest.mark.parametrize("noise", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize(("annotator", "seed"), EFFECTS)
def test_a_study_without_a_difference_names_one_in_six_of_a_hundred_at_most(
    annotator: float, seed: float, noise: np.ndarray
) -> None:
    random, studies, false = np.random.default_rng(0), 300, 0
    for _ in range(studies):
        runs = drawn(random, CELLS, annotator=annotator, seed=seed, noise=noise)
        false += bool((contrasts(runs, 0).adjusted[1:] < 0.05).any())
    assert false / studies <= MOST_FALSE + two_errors(MOST_FALSE, studies)


@pytest.mark.parametrize(("seeds", "annotators"), [(3, 1), (5, 1), (10, 1), (1, 3), (2, 3), (5, 3), (10, 3)])
def test_nor_with_other_repeats_some_of_them_missing(seeds: int, annotators: int) -> None:
    """Of one seed nothing is claimed; of one annotator only for that one, to whom its effects are differences."""
    random, studies, false, effect = np.random.default_rng(1), 120, 0, 0.7 * (annotators > 1)
    for _ in range(studies):
        runs = drawn(random, CELLS, seeds, annotators, annotator=effect, seed=0.7, noise=UNEQUAL)
        gone = [(cell, int(random.integers(seeds * annotators))) for cell in random.permutation(CELLS)[:6]]
        false += bool((contrasts(without(runs, gone), 0).adjusted[1:] < 0.05).any())
    assert false / studies <= MOST_FALSE + two_errors(MOST_FALSE, studies)
    assert seeds > 1 or false == 0


def test_an_effect_of_twice_the_noise_is_found_at_three_seeds_and_annotators() -> None:
    """Measured .807 over 3000 studies. Another cell is named no more often than without the effect."""
    random, studies, found, false = np.random.default_rng(2), 500, 0, 0
    for _ in range(studies):
        runs = drawn(random, CELLS)
        runs.value[7] += 2.0
        significant = contrasts(runs, 0).adjusted < 0.05
        found, false = found + bool(significant[7]), false + bool(np.delete(significant, [0, 7]).any())
    assert found / studies >= LEAST_FOUND - two_errors(LEAST_FOUND, studies)
    assert false / studies <= MOST_FALSE + two_errors(MOST_FALSE, studies)


@pytest.mark.parametrize("claim", ["new annotators", "these annotators"])
def test_intervals_hold_the_difference_of_the_annotators_they_claim(claim: str) -> None:
    """Of new annotators: none, on the whole. Of these: what they add to each cell. All of a study's in 95 of 100."""
    random, inside, draws = np.random.default_rng(3), [], 60
    for _ in range(draws):
        runs = drawn(random, CELLS, 4, 3)
        theirs = 1.5 * random.normal(size=(CELLS, 3))
        runs.value[:] += theirs[:, runs.annotator]
        found = contrasts(runs, 0, claim)  # type: ignore[arg-type]
        truth = np.zeros(CELLS) if claim == "new annotators" else theirs.mean(1) - theirs[0].mean()
        inside.append(((found.low <= truth) & (truth <= found.high))[1:].all())
    assert np.mean(inside) >= 0.95 - two_errors(0.05, draws)


def test_axes_that_do_nothing_matter_in_six_studies_of_a_hundred_at_most() -> None:
    random, cells, false = np.random.default_rng(4), one_at_a_time(7, 5), 0
    settings = [(effects, noise) for effects in EFFECTS for noise in (EQUAL, UNEQUAL)]
    each = 18
    for (annotator, seed), noise in settings:
        for _ in range(each):
            runs = drawn(random, CELLS, annotator=annotator, seed=seed, noise=noise)
            found = axis_effects(study_of(runs, cells))
            false += bool((found["verdict"] == "matters").any())
    studies = each * len(settings)
    assert false / studies <= MOST_FALSE + two_errors(MOST_FALSE, studies)
    assert false, "a rule that never calls anything an effect proves nothing"


def test_an_axis_that_does_nothing_matters_only_where_a_cell_is_named() -> None:
    """So the bound on cells is one on axes. Studies with and without a false verdict are picked by their cells."""
    random, cells, picked = np.random.default_rng(4), one_at_a_time(7, 5), {True: 0, False: 0}
    for _ in range(500):
        if min(picked.values()) == 5:
            break
        (annotator, seed), noise = EFFECTS[sum(picked.values()) % 3], (EQUAL, UNEQUAL)[sum(picked.values()) % 2]
        runs = drawn(random, CELLS, annotator=annotator, seed=seed, noise=noise)
        named = bool((contrasts(runs, 0).adjusted[1:] < 0.05).any())
        if picked[named] < 5:
            picked[named] += 1
            assert bool((axis_effects(study_of(runs, cells))["verdict"] == "matters").any()) == named
    assert min(picked.values()) == 5, picked


def test_a_reference_that_is_chosen_by_its_mean_is_corrected_for_all_pairs() -> None:
    """Two equal methods at four budgets, far from each other: every other comparison is settled."""
    random, studies, false = np.random.default_rng(4), 300, {"one centre": 0, "all pairs": 0}
    for _ in range(studies):
        runs = drawn(random, 8, 5, 1)
        runs.value[:] += 20 * np.repeat(np.arange(4), 2)[:, None]
        best = [place + int(runs.value[place : place + 2].mean(1).argmax()) for place in (0, 2, 4, 6)]
        for family in get_args(Family):
            tested = [contrasts(runs, cell, family=family).adjusted[cell ^ 1] for cell in best]
            false[family] += min(tested) < 0.05
    assert false["one centre"] / studies > 0.1, "what a correction for one centre would do"
    assert false["all pairs"] / studies <= 0.05 + two_errors(0.05, studies)
