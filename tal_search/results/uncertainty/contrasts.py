"""Differences of cells to the centre over common repeats: means, intervals and tests, for every table and figure.

Intervals and tests apply to new seeds and new annotators; with a single annotator, to new seeds with that one;
optionally, to the annotators of the data only. The model is that of `components`; docs/adr/0015 gives the reasons and
the coverage.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np

from tal_search.results.uncertainty import subjects
from tal_search.results.uncertainty.families import SIGNIFICANT, critical, dunnett, tukey, widest
from tal_search.results.uncertainty.model import Claim, added, modelled
from tal_search.results.uncertainty.moderation import LEAST_CELLS
from tal_search.results.uncertainty.runs import Runs
from tal_search.types import Floats, Ints

CONFIDENCE = 0.95
ROUNDING = 1e-9  # of sums of scores in points
Family = Literal["one centre", "all pairs"]  # of comparisons that a difference is corrected for
LEAST_REPEATS = 3  # with fewer repeats no interval is given


class Spread(NamedTuple):
    """Variance of each cell's difference to the centre, [C].

    degrees: its degrees of freedom, 0 if it is unknown (all runs of one seed); by_annotator: the part of it that more
    seeds do not reduce; shared: the centre's share of it.
    """

    variance: Floats
    degrees: Floats
    by_annotator: Floats
    shared: Floats


@dataclass(frozen=True, kw_only=True)
class Contrasts:
    """Difference of each cell to the centre, [C]; the centre's own difference is 0, without an interval.

    delta: mean difference over `pairs` common repeats (common seeds, if one of the two has no annotators), NaN without
    any; error: its standard error, with `degrees` of freedom; p: of the two-sided t test; adjusted: p by Dunnett's
    step-down rule over all cells, or by Tukey's over all pairs of them, for `compared` comparisons; low and high: the
    simultaneous 95 % interval, which excludes 0 if and only if adjusted is below 0.05. NaN with fewer than three pairs,
    or one seed.
    by_annotator: variance of delta that more seeds do not reduce.
    """

    delta: Floats
    pairs: Ints
    error: Floats
    degrees: Floats
    by_annotator: Floats
    low: Floats
    high: Floats
    p: Floats
    adjusted: Floats
    compared: Ints = field(default_factory=lambda: np.zeros(0, np.int64))


def contrasts(runs: Runs, centre: int, claim: Claim = "new annotators", family: Family = "one centre") -> Contrasts:
    """Contrasts of every cell with the centre, a row of `runs`; with one that was chosen by its mean: "all pairs"."""
    own_CR, other_CR, pairs = _shares(runs, centre)
    delta = np.nansum(own_CR * runs.value, 1) - np.nansum(other_CR * runs.value[centre], 1)
    spread = _spread(runs, centre, own_CR, other_CR, claim)
    degrees = np.where((pairs >= LEAST_REPEATS) & (np.arange(len(pairs)) != centre), spread.degrees, 0.0)
    return judged(np.where(pairs > 0, delta, np.nan), pairs, spread._replace(degrees=degrees), family)


def subject_contrasts(
    runs: Runs, centre: int, place_CR: Floats, draws_NB: Floats, count: int, family: Family = "one centre"
) -> Contrasts:
    """The same from a bootstrap over `count` subjects, and over seeds where there are several.

    place_CR: the row of each run in `draws_NB`, NaN without one.
    """
    own_CR, other_CR, pairs = _shares(runs, centre)
    delta = np.nansum(own_CR * runs.value, 1) - np.nansum(other_CR * runs.value[centre], 1)
    row_CR = np.nan_to_num(place_CR).astype(np.int64)
    difference_CB = np.stack([
        own_R @ draws_NB[rows] - other_R @ draws_NB[row_CR[centre]]
        for own_R, other_R, rows in zip(own_CR, other_CR, row_CR, strict=True)
    ])  # fmt: skip
    covariance_CC, degrees = subjects.covariance(difference_CB, count)
    over_seeds, of_subjects = _spread(runs, centre, own_CR, other_CR, "new annotators"), np.diag(covariance_CC)
    variance, degrees_C = subjects.combined(of_subjects, degrees, over_seeds.variance, over_seeds.degrees)
    known = (pairs > 0) & (np.arange(len(pairs)) != centre)
    spread = Spread(
        variance=variance, degrees=np.where(known, degrees_C, 0.0),
        by_annotator=of_subjects + np.where(over_seeds.degrees > 0, over_seeds.by_annotator, 0.0),
        shared=subjects.shared_part(covariance_CC),
    )  # fmt: skip
    return judged(np.where(pairs > 0, delta, np.nan), pairs, spread, family)


def untested(contrast: Contrasts, *columns: str) -> Contrasts:
    """The differences without p values, and without these columns."""
    nothing = np.full(len(contrast.delta), np.nan)
    return replace(contrast, **dict.fromkeys(("p", "adjusted", *columns), nothing))


def judged(delta: Floats, pairs: Ints, spread: Spread, family: Family = "one centre") -> Contrasts:
    """Tests and intervals of a family of differences; NaN for those with 0 degrees of freedom."""
    known, delta = spread.degrees > 0, _without_rounding(delta)
    error = np.where(known, _without_rounding(np.sqrt(spread.variance)), np.nan)
    degrees = np.where(known, spread.degrees, np.nan)
    p = p_value(delta, error, degrees)
    compared = int(np.isfinite(p).sum())
    if family == "one centre":
        adjusted, bound = dunnett(p, spread.shared, degrees), critical(spread.shared, degrees)
    else:
        adjusted, bound = tukey(p, degrees, compared + 1), widest(degrees, compared + 1)
        compared = compared * (compared + 1) // 2
    low, high = bounds(delta, error * bound, adjusted)
    return Contrasts(
        delta=delta, pairs=pairs, error=error, degrees=degrees, by_annotator=spread.by_annotator,
        low=low, high=high, p=p, adjusted=adjusted, compared=np.full(len(p), compared),
    )  # fmt: skip


def _without_rounding(points: Floats) -> Floats:
    """The numbers, 0 for those that are only the rounding of sums of equal scores: a certain difference of nothing."""
    return np.where(np.abs(points) < ROUNDING, 0.0, points)


def bounds(delta: Floats, half: Floats, adjusted: Floats) -> tuple[Floats, Floats]:
    """Intervals; for differences that only the step-down rule finds, not the simultaneous bound, they reach to 0 and
    exclude it.
    """
    significant, beside_0 = adjusted < SIGNIFICANT, np.nextafter(0.0, 1.0)
    low, high = delta - half, delta + half
    return np.where(significant & (delta > 0), np.maximum(low, beside_0), low), np.where(
        significant & (delta < 0), np.minimum(high, -beside_0), high
    )


def p_value(mean: Floats, error: Floats, degrees: Floats) -> Floats:
    """Of the two-sided t test. With an error of 0 it is 0, or 1 if the mean is 0."""
    from scipy.special import stdtr

    with np.errstate(invalid="ignore", divide="ignore"):
        tested = 2 * stdtr(degrees, -np.abs(mean / error))
    return np.where(error == 0, np.where(mean == 0, 1.0, 0.0), tested)


def quantile(degrees: Floats) -> Floats:
    """Quantile of Student's t for a 95 % interval."""
    from scipy.special import stdtrit

    different, place = np.unique(degrees, return_inverse=True)  # a tenth of the time if many are equal
    quantiles: Floats = stdtrit(different, (1 + CONFIDENCE) / 2)[place.reshape(np.shape(degrees))]
    return quantiles


def _shares(runs: Runs, centre: int) -> tuple[Floats, Floats, Ints]:
    """Shares of the cell's and of the centre's runs in their difference, [C, R] twice; and common repeats [C].

    Paired by seed and annotator; without a common annotator paired by seed, with a mean over its annotators.
    """
    present_CR = runs.present
    common_CR = present_CR & present_CR[centre]
    known_CJ = present_CR @ runs.of_annotator > 0
    alike_C = (runs.single == runs.single[centre]) & (known_CJ & known_CJ[centre]).any(1)
    pairs_C = common_CR.sum(1)
    whole_CR = common_CR / np.maximum(pairs_C, 1)[:, None]
    count_CI = present_CR @ runs.of_seed
    both_CI = (count_CI > 0) & (count_CI[centre] > 0)
    seeds_C = both_CI.sum(1)
    of_seed_CI = both_CI / np.maximum(seeds_C, 1)[:, None]
    own_CR = present_CR * ((of_seed_CI / np.maximum(count_CI, 1)) @ runs.of_seed.T)
    other_CR = present_CR[centre] * ((of_seed_CI / np.maximum(count_CI[centre], 1)) @ runs.of_seed.T)
    rows = alike_C[:, None]
    return np.where(rows, whole_CR, own_CR), np.where(rows, whole_CR, other_CR), np.where(alike_C, pairs_C, seeds_C)


def _spread(runs: Runs, centre: int, own_CR: Floats, other_CR: Floats, claim: Claim) -> Spread:
    """From one model of all cells, or of each cell and the centre if there are too few cells to pool."""
    if len(runs.value) >= LEAST_CELLS or len(runs.value) <= 2:
        return _spread_of_all(runs, centre, own_CR, other_CR, claim)
    parts = []
    for cell in range(len(runs.value)):
        pair = np.array([centre, cell])
        of_pair = _spread_of_all(runs.of(pair), 0, own_CR[pair], other_CR[pair], claim)
        parts.append([column[1] for column in of_pair])
    return Spread(*(np.array(column) for column in zip(*parts, strict=True)))


def _spread_of_all(runs: Runs, centre: int, own_CR: Floats, other_CR: Floats, claim: Claim) -> Spread:
    model = modelled(runs, centre, claim)
    ratio_C = model.noisy.ratio
    ratio = np.full(len(ratio_C), ratio_C[centre])
    own, other = model.weights(own_CR, runs.single), model.weights(other_CR, runs.single[[centre]])
    of_cell, of_centre = model.variance(own, ratio_C), model.variance(other, ratio)
    variance, degrees = of_cell + of_centre, model.common_degrees(added(own, other))
    with np.errstate(divide="ignore", invalid="ignore"):
        moderation = (of_cell / variance) ** 2 / model.noisy.degrees
        moderation += (of_centre / variance) ** 2 / model.noisy.degrees[centre]
        degrees = np.where(model.degrees > 0, 1 / (1 / degrees + np.nan_to_num(moderation)), 0.0)
        shared = np.nan_to_num(of_centre / variance, nan=0.5)
    by_annotator = model.by_annotator(own, ratio_C) + model.by_annotator(other, ratio)
    return Spread(variance=variance, degrees=degrees, by_annotator=by_annotator, shared=shared)
