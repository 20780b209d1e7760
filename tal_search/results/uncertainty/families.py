"""p values corrected for how many questions a study asks: Dunnett's for cells beside one centre, Holm's for axes.

Cells that are compared with one centre share its noise, so their differences are correlated, and Holm's rule, which
allows for the worst, would name 3 false differences in 100 studies where 5 are allowed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tal_search.types import Floats

CENTRE_POINTS, SCALE_POINTS = 40, 24
BINS = 17  # of the correlation with the centre; within one all are taken for the same
GRID_POINTS, FARTHEST = 100, 1e4
SIGNIFICANT = 0.05


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted by Holm's step-down rule over all that are numbers; NaN stays NaN."""
    known = [index for index, value in enumerate(p) if not math.isnan(value)]
    adjusted = [math.nan] * len(p)
    highest = 0.0
    for rank, index in enumerate(sorted(known, key=lambda index: p[index])):
        highest = max(highest, min(1.0, (len(known) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def dunnett(p: npt.ArrayLike, shared: npt.ArrayLike, degrees: npt.ArrayLike) -> Floats:
    """Two-sided p values of comparisons with one centre, adjusted by Dunnett's step-down rule; NaN stays NaN.

    shared: of each difference's variance, the centre's share, which is the square of what correlates it with others;
    degrees: of freedom of that variance. A p value of other degrees than the median's is taken at the same quantile
    (C. W. Dunnett, A. C. Tamhane, Statistics in Medicine 10, 1991).
    """
    from scipy.special import stdtr, stdtrit

    p, shared, degrees = (np.asarray(values, np.float64) for values in (p, shared, degrees))
    known = np.flatnonzero(np.isfinite(p))
    adjusted = np.full(len(p), np.nan)
    if len(known) < 2:  # one comparison is corrected for nothing
        adjusted[known] = p[known]
        return adjusted
    df = float(np.median(degrees[known]))
    size = -stdtrit(df, np.maximum(p[known] / 2, stdtr(df, -FARTHEST)))
    order = known[np.argsort(-size, kind="stable")]
    size, bins = np.sort(size)[::-1], np.clip((shared[order] * BINS).astype(int), 0, BINS - 1)
    left, highest = np.bincount(bins, minlength=BINS), 0.0
    for place, index in enumerate(order):
        highest = max(highest, float(_beyond(tuple(left), size[place : place + 1], df)[0]))
        adjusted[index] = max(highest, p[index])
        if highest >= SIGNIFICANT:  # what is left is not significant, and is corrected as one
            rest = order[place + 1 :]
            adjusted[rest] = np.maximum.accumulate(
                np.maximum(_interpolated(tuple(left), size[place + 1 :], df), highest)
            )
            break
        left[bins[place]] -= 1
    return adjusted


def critical(shared: npt.ArrayLike, degrees: npt.ArrayLike) -> Floats:
    """For each comparison with one centre, the |t| that bounds all of them at once in 95 of 100 studies; NaN stays NaN.

    shared and degrees: as in `dunnett`, whose single step this is; of one comparison it is Student's quantile.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtr, stdtrit

    shared, degrees = (np.asarray(values, np.float64) for values in (shared, degrees))
    known = np.flatnonzero(np.isfinite(degrees))
    found = np.full(len(degrees), np.nan)
    if not len(known):
        return found
    tail = SIGNIFICANT / 2
    if len(known) > 1:
        df = float(np.median(degrees[known]))
        bins = np.clip((shared[known] * BINS).astype(int), 0, BINS - 1)
        counts = tuple(np.bincount(bins, minlength=BINS))
        low, high = -stdtrit(df, tail * 1.1), -stdtrit(df, tail / len(known) / 1.1)
        bound = brentq(lambda size: _beyond(counts, np.array([size]), df)[0] - SIGNIFICANT, low, high, xtol=1e-6)
        tail = float(stdtr(df, -bound))
    different, place = np.unique(degrees[known], return_inverse=True)
    found[known] = -stdtrit(different, tail)[place]
    return found


def _interpolated(counts: tuple[int, ...], size: Floats, df: float) -> Floats:
    if len(size) <= GRID_POINTS:
        return _beyond(counts, size, df)
    grid = np.linspace(size.min(), size.max(), GRID_POINTS)
    return np.interp(size, grid, _beyond(counts, grid, df))


def _beyond(counts: tuple[int, ...], size: Floats, df: float) -> Floats:
    """The chance that the largest of the |t| that are left exceeds each of `size` where no cell differs.

    counts: how many there are by the centre's share. Given the centre's noise and the scale they are independent.
    """
    from scipy.special import ndtr

    (noise_Z, weight_Z), (scale_S, weight_S) = _points(), _scales(df)
    inside_NSZ = np.ones((len(size), len(scale_S), len(noise_Z)))
    for place, count in enumerate(counts):
        if count:
            share = (place + 0.5) / len(counts)
            reach, centre = (
                size[:, None, None] * scale_S[:, None] / math.sqrt(1 - share),
                noise_Z * math.sqrt(share / (1 - share)),
            )
            inside_NSZ *= (ndtr(reach - centre) - ndtr(-reach - centre)) ** count
    beyond: Floats = 1 - (inside_NSZ @ weight_Z) @ weight_S
    return np.clip(beyond, 0.0, 1.0)


@lru_cache(maxsize=1)
def _points() -> tuple[Floats, Floats]:
    """Gauss-Hermite points of a normal variable, and their weights."""
    points, weights = np.polynomial.hermite_e.hermegauss(CENTRE_POINTS)
    return points, weights / weights.sum()


@lru_cache(maxsize=64)
def _scales(df: float) -> tuple[Floats, Floats]:
    """Quantiles of an estimated scale over the true one, and their weights.

    Gauss-Legendre points of the cube root of the probability, as small p values come from scales that are far too low.
    """
    from scipy.special import chdtri

    points, weights = np.polynomial.legendre.leggauss(SCALE_POINTS)
    root = (points + 1) / 2
    return np.sqrt(chdtri(df, 1 - root**3) / df), weights / 2 * 3 * root**2
