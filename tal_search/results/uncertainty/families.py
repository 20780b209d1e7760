"""p values corrected for multiple comparisons: Dunnett's rule for cells and one centre, Tukey's for all pairs of cells,
Holm's for axes.

Cells that are compared with one centre share its noise, so their differences are correlated, and Holm's rule, which
allows for any dependence, would make false claims in 3 of 100 studies where 5 are allowed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tal_search.types import Floats

CENTRE_POINTS, SCALE_POINTS = 40, 24  # of the quadratures over the centre's noise and the scale
BINS = 17  # of the centre's share of the variance; all cells of a bin are treated as equal
GRID_POINTS, FARTHEST = 100, 1e4  # points of interpolated p values; largest |t|
RANGE_POINTS, RANGE_END = 121, 8.0  # of the quadrature over the highest cell's value, in standard deviations
SIGNIFICANT = 0.05


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted by Holm's step-down rule over all that are known; NaN stays NaN."""
    known = [index for index, value in enumerate(p) if not math.isnan(value)]
    adjusted = [math.nan] * len(p)
    highest = 0.0
    for rank, index in enumerate(sorted(known, key=lambda index: p[index])):
        highest = max(highest, min(1.0, (len(known) - rank) * p[index]))
        adjusted[index] = highest
    return adjusted


def dunnett(p: npt.ArrayLike, shared: npt.ArrayLike, degrees: npt.ArrayLike) -> Floats:
    """Two-sided p values of comparisons with one centre, adjusted by Dunnett's step-down rule; NaN stays NaN.

    shared: the centre's share of each difference's variance, from which their correlations follow; degrees: of freedom
    of that variance. All p values are converted to |t| at the median of the degrees (C. W. Dunnett, A. C. Tamhane,
    Statistics in Medicine 10, 1991).
    """
    from scipy.special import stdtr, stdtrit

    p, shared, degrees = (np.asarray(values, np.float64) for values in (p, shared, degrees))
    known = np.flatnonzero(np.isfinite(p))
    adjusted = np.full(len(p), np.nan)
    if len(known) < 2:  # a single comparison needs no correction
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
        if highest >= SIGNIFICANT:  # the remaining ones are not significant, and are corrected in one step
            rest = order[place + 1 :]
            adjusted[rest] = np.maximum.accumulate(
                np.maximum(_interpolated(tuple(left), size[place + 1 :], df), highest)
            )
            break
        left[bins[place]] -= 1
    return adjusted


def critical(shared: npt.ArrayLike, degrees: npt.ArrayLike) -> Floats:
    """For each comparison with the centre, the |t| of simultaneous 95 % intervals; NaN stays NaN.

    shared and degrees: as in `dunnett`, of which this is the single step; Student's quantile for one comparison.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtr, stdtrit

    shared, degrees = (np.asarray(values, np.float64) for values in (shared, degrees))
    known = np.flatnonzero(np.isfinite(degrees))
    bounds = np.full(len(degrees), np.nan)
    if not len(known):
        return bounds
    tail = SIGNIFICANT / 2
    if len(known) > 1:
        df = float(np.median(degrees[known]))
        bins = np.clip((shared[known] * BINS).astype(int), 0, BINS - 1)
        counts = tuple(np.bincount(bins, minlength=BINS))
        low, high = -stdtrit(df, tail * 1.1), -stdtrit(df, tail / len(known) / 1.1)
        bound = brentq(lambda size: _beyond(counts, np.array([size]), df)[0] - SIGNIFICANT, low, high, xtol=1e-6)
        tail = float(stdtr(df, -bound))
    different, place = np.unique(degrees[known], return_inverse=True)
    bounds[known] = -stdtrit(different, tail)[place]
    return bounds


def tukey(p: npt.ArrayLike, degrees: npt.ArrayLike, cells: int) -> Floats:
    """Two-sided p values of any of the differences between `cells` cells, adjusted for all pairs; NaN stays NaN.

    J. W. Tukey's single step, for unequal variances too (C. Y. Kramer, Biometrics 12, 1956), at the median of the
    degrees of freedom. It allows for a reference that was chosen because its mean is highest.
    """
    from scipy.special import stdtr, stdtrit

    p, degrees = (np.asarray(values, np.float64) for values in (p, degrees))
    adjusted, known = p.copy(), np.isfinite(p)
    if cells > 2 and known.any():
        df = float(np.median(degrees[known]))
        size = -stdtrit(df, np.maximum(p[known] / 2, stdtr(df, -FARTHEST)))
        adjusted[known] = np.maximum(_range_beyond(cells, size, df), p[known])
    return adjusted


def widest(degrees: npt.ArrayLike, cells: int) -> Floats:
    """For each difference, the |t| of 95 % intervals that hold for all pairs of `cells` cells; NaN stays NaN.

    Student's quantile for two cells.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtr, stdtrit

    degrees = np.asarray(degrees, np.float64)
    known, tail = np.isfinite(degrees), SIGNIFICANT / 2
    if cells > 2 and known.any():
        df, pairs = float(np.median(degrees[known])), cells * (cells - 1) / 2
        low, high = -stdtrit(df, tail * 1.1), -stdtrit(df, tail / pairs / 1.1)
        bound = brentq(lambda size: _range_beyond(cells, np.array([size]), df)[0] - SIGNIFICANT, low, high, xtol=1e-6)
        tail = float(stdtr(df, -bound))
    return np.where(known, -stdtrit(np.where(known, degrees, 1.0), tail), np.nan)


def _range_beyond(cells: int, size: Floats, df: float) -> Floats:
    """The probability that the largest |t| of all pairs exceeds each of `size` if no cell differs: that of the
    studentized range, given the highest cell's value and the scale.
    """
    from scipy.special import ndtr

    at_Z = np.linspace(-RANGE_END, RANGE_END, RANGE_POINTS)
    weight_Z = np.exp(-(at_Z**2) / 2) * (at_Z[1] - at_Z[0]) / math.sqrt(2 * math.pi)
    scale_S, weight_S = _scales(df)
    reach_NS = math.sqrt(2) * size[:, None] * scale_S
    inside_NSZ = np.maximum(ndtr(at_Z) - ndtr(at_Z - reach_NS[..., None]), 0.0) ** (cells - 1)
    beyond: Floats = 1 - cells * (inside_NSZ @ weight_Z) @ weight_S
    return np.clip(beyond, 0.0, 1.0)


def _interpolated(counts: tuple[int, ...], size: Floats, df: float) -> Floats:
    if len(size) <= GRID_POINTS:
        return _beyond(counts, size, df)
    grid = np.linspace(size.min(), size.max(), GRID_POINTS)
    return np.interp(size, grid, _beyond(counts, grid, df))


def _beyond(counts: tuple[int, ...], size: Floats, df: float) -> Floats:
    """The probability that the largest of the remaining |t| exceeds each of `size` if no cell differs.

    counts: the number of cells per bin of the centre's share. Given the centre's noise and the scale they are
    independent.
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
    """Gauss-Hermite points of a standard normal variable, and their weights."""
    points, weights = np.polynomial.hermite_e.hermegauss(CENTRE_POINTS)
    return points, weights / weights.sum()


@lru_cache(maxsize=64)
def _scales(df: float) -> tuple[Floats, Floats]:
    """Quantiles of the ratio of the estimated to the true scale, and their weights.

    Gauss-Legendre points in the cube root of the probability, as small p values come from scales that are far too low.
    """
    from scipy.special import chdtri

    points, weights = np.polynomial.legendre.leggauss(SCALE_POINTS)
    root = (points + 1) / 2
    return np.sqrt(chdtri(df, 1 - root**3) / df), weights / 2 * 3 * root**2
