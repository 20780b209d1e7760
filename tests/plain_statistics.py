"""Statistics of one cell at a time, slow and obvious, beside the vectorised ones of `tal_search.results`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd
from scipy import stats

from tal_search.results.statistics import WITHIN

Repeats = Mapping[tuple[int, str], float]


class Interval(NamedTuple):
    """half: of the 95 % t interval; p: of the two-sided t test against 0; NaN where n < 2."""

    n: int
    mean: float
    half: float
    p: float


def interval(values: Iterable[float]) -> Interval:
    sample = list(values)
    n = len(sample)
    mean = statistics.fmean(sample) if sample else math.nan
    if n < 2:
        return Interval(n, mean, math.nan, math.nan)
    error = statistics.stdev(sample) / math.sqrt(n)
    half = float(stats.t.ppf(0.975, n - 1)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, n - 1)) if error > 0 else float(mean == 0)
    return Interval(n, mean, half, p)


def difference(cell: Repeats, centre: Repeats) -> Interval:
    """Cell minus centre over the repeats that both have."""
    mine, others = alike(cell, centre)
    return interval(value - others[repeat] for repeat, value in mine.items() if repeat in others)


def alike(cell: Repeats, centre: Repeats) -> tuple[Repeats, Repeats]:
    """Both by repeats that can be paired: as they are, or by seed, annotators averaged, where they share no annotator.

    A cell that reads no clicks has no annotators.
    """
    if {annotator for _, annotator in cell} & {annotator for _, annotator in centre}:
        return cell, centre
    return by_seed(cell), by_seed(centre)


def by_seed(values: Repeats) -> Repeats:
    seeds: dict[int, list[float]] = {}
    for (seed, _), value in values.items():
        seeds.setdefault(seed, []).append(value)
    return {(seed, ""): statistics.fmean(found) for seed, found in seeds.items()}


def table_of(differences: Iterable[Interval]) -> pd.DataFrame:
    """As `results.statistics.differences` has them."""
    names = ["pairs", "delta", "delta" + WITHIN, "p"]
    return pd.DataFrame(list(differences), columns=names)
