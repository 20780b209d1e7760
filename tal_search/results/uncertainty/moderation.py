"""Cells need not be equally noisy: how much noisier each is, moderated by what the others show (empirical Bayes).

A cell has two to eight degrees of freedom for its own variance, which decides nothing; all cells as one would call the
noise of a noisy one an effect. So each is drawn to the common variance by as much as the cells resemble each other
(G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004), except one that is far too noisy to be one of them (B. Phipson et
al., Ann. Appl. Stat. 10, 2016), which keeps its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tal_search.results.uncertainty.components import Components, Squares
from tal_search.types import Floats

LEAST_CELLS = 6  # with fewer, their resemblance cannot be judged
DIFFERENT, CAREFUL = 0.5, 1.0  # standard errors: from which cells are taken to differ, and added to by how much
OUTLIER, OUTLIER_CENTRE = 0.05, 0.01  # chances that a cell of a study of equal ones is taken for an outlier


@dataclass(frozen=True, kw_only=True)
class Noisiness:
    """ratio [C]: each cell's variance over the common one; degrees [C]: of freedom of it, infinite where it is 1."""

    ratio: Floats
    degrees: Floats


def equal(cells: int) -> Noisiness:
    return Noisiness(ratio=np.ones(cells), degrees=np.full(cells, np.inf))


def moderated(found: Squares, common: Components, centre: int) -> Noisiness:
    """Of each cell, from its own sums of squares beside what the common components let expect."""
    from scipy.special import chdtrc, digamma

    expected_C, degrees_C = _expected(found, common)
    own_C = found.seed.sum + found.annotator.sum + found.rest.sum
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


def _expected(found: Squares, common: Components) -> tuple[Floats, Floats]:
    """What a cell's whole sum of squares is expected to be, and its degrees of freedom (Satterthwaite)."""
    total, spread = np.zeros(len(found.rest.sum)), np.zeros(len(found.rest.sum))
    for part, component in (
        (found.seed, common.seed),
        (found.annotator, common.annotator),
        (found.rest, 0.0 * common.rest),
    ):
        expected = part.load * component + part.df * common.rest
        total += expected
        spread += np.divide(expected**2, part.df, out=np.zeros(len(total)), where=part.df > 0)
    return total, np.divide(total**2, spread, out=np.zeros(len(total)), where=spread > 0)


def _prior_degrees(logs: Floats, half: Floats) -> float:
    """How many degrees of freedom the common variance is worth: infinite where the cells may well be equal."""
    from scipy.special import polygamma

    expected, count = polygamma(1, half).mean(), len(logs)
    error = np.sqrt((polygamma(3, half).mean() + 2 * expected**2) / count)
    excess = logs.var(ddof=1) - expected
    return 2 * _inverse_trigamma(excess + CAREFUL * error) if excess > DIFFERENT * error else np.inf


def _inverse_trigamma(value: float) -> float:
    """By Newton's method on 1 / trigamma, which is nearly a straight line."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(20):
        x += polygamma(1, x) * (1 - polygamma(1, x) / value) / polygamma(2, x)
    return float(x)
