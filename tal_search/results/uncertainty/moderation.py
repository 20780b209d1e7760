"""Moderated variance of each cell: its noisiness relative to all cells, by empirical Bayes.

A cell's own variance has two to eight degrees of freedom, too few for a test; a pooled variance would take the noise of
a noisy cell for an effect. So each cell's variance is shrunk to the common one, more so if the cells are alike (G. K.
Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004); an outlier keeps its own (B. Phipson et al., Ann. Appl. Stat. 10, 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tal_search.results.uncertainty.components import Components, Squares
from tal_search.types import Floats

LEAST_CELLS = 6  # with fewer, the spread of their variances is unknown
# In standard errors of the excess variance: above DIFFERENT the cells differ; CAREFUL are then added to it.
DIFFERENT, CAREFUL = 0.5, 1.0
# False positive rates of outliers: of any cell of a study, and of the centre.
OUTLIER, OUTLIER_CENTRE = 0.05, 0.01


@dataclass(frozen=True, kw_only=True)
class Noisiness:
    """ratio [C]: each cell's variance over the common one; degrees [C]: of freedom, infinite where no cell differs."""

    ratio: Floats
    degrees: Floats


def equal(cells: int) -> Noisiness:
    return Noisiness(ratio=np.ones(cells), degrees=np.full(cells, np.inf))


def moderated(of_cells: Squares, common: Components, centre: int) -> Noisiness:
    """Noisiness of each cell, from its sums of squares and those expected under the common components."""
    from scipy.special import chdtrc, digamma

    expected_C, degrees_C = _expected(of_cells, common)
    own_C = of_cells.seed.sum + of_cells.annotator.sum + of_cells.rest.sum
    judged = np.flatnonzero((expected_C > 0) & (own_C > 0))
    if len(judged) < LEAST_CELLS:
        return equal(len(own_C))
    ratio_C = np.divide(own_C, expected_C, out=np.ones(len(own_C)), where=expected_C > 0)
    half = degrees_C[judged] / 2
    logs = np.log(ratio_C[judged]) - digamma(half) + np.log(half)
    prior = _prior_degrees(logs, half)
    level = 1.0 if np.isinf(prior) else float(np.exp(logs.mean() + digamma(prior / 2) - np.log(prior / 2)))
    chance = np.where(np.arange(len(own_C)) == centre, OUTLIER_CENTRE, OUTLIER / len(own_C))
    outlier_C = chdtrc(np.maximum(degrees_C, 1e-9), ratio_C * degrees_C) < chance
    if np.isinf(prior):
        return Noisiness(ratio=np.where(outlier_C, ratio_C, 1.0), degrees=np.where(outlier_C, degrees_C, np.inf))
    prior_C = np.where(outlier_C, 0.0, prior)
    posterior_C = np.maximum(prior_C + degrees_C, 1e-9)
    return Noisiness(ratio=(prior_C * level + degrees_C * ratio_C) / posterior_C, degrees=posterior_C)


def _expected(of_cells: Squares, common: Components) -> tuple[Floats, Floats]:
    """Expected total sum of squares of each cell, and its degrees of freedom (Satterthwaite)."""
    total, spread = np.zeros(len(of_cells.rest.sum)), np.zeros(len(of_cells.rest.sum))
    for part, component in (
        (of_cells.seed, common.seed),
        (of_cells.annotator, common.annotator),
        (of_cells.rest, 0.0 * common.rest),
    ):
        expected = part.load * component + part.df * common.rest
        total += expected
        spread += np.divide(expected**2, part.df, out=np.zeros(len(total)), where=part.df > 0)
    return total, np.divide(total**2, spread, out=np.zeros(len(total)), where=spread > 0)


def _prior_degrees(logs: Floats, half: Floats) -> float:
    """Prior degrees of freedom of the common variance; infinite if the cells may be equal."""
    from scipy.special import polygamma

    expected, count = polygamma(1, half).mean(), len(logs)
    error = np.sqrt((polygamma(3, half).mean() + 2 * expected**2) / count)
    excess = logs.var(ddof=1) - expected
    return 2 * _inverse_trigamma(excess + CAREFUL * error) if excess > DIFFERENT * error else np.inf


def _inverse_trigamma(value: float) -> float:
    """Inverse of the trigamma function by Newton's method on 1 / trigamma, which is nearly linear."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(20):
        x += polygamma(1, x) * (1 - polygamma(1, x) / value) / polygamma(2, x)
    return float(x)
