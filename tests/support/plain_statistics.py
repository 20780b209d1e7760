"""Statistics of one cell, or of one beside the centre, slow and obvious, beside those of `tal_search.results`.

Runs are a mapping from (seed, annotator), which are crossed: every seed meets every annotator where no run is missing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

Repeats = Mapping[tuple[int, str], float]
NONE = "none"  # the annotator of a cell that reads no clicks


class Interval(NamedTuple):
    """half: of the 95 % interval; p: of the two-sided test against 0; NaN where n < 3 or nothing tells."""

    n: int
    mean: float
    half: float
    p: float


class Square(NamedTuple):
    """A sum of squares, its degrees of freedom, and how often it has the variance of its effect in it."""

    sum: float
    df: float
    load: float

    @property
    def mean(self) -> float:
        return self.sum / self.df if self.df else 0.0


class Analysis(NamedTuple):
    """Sums of squares over seeds, over annotators, and left over."""

    seed: Square
    annotator: Square
    rest: Square


class Shares(NamedTuple):
    """Sums of squared shares that a mean's seeds, annotators and runs have in it."""

    seed: float
    annotator: float
    run: float


def interval(values: Repeats) -> Interval:
    """Of the mean, for new seeds and annotators."""
    n = len(values)
    shares = shares_of(dict.fromkeys(values, 1 / n)) if n else Shares(0, 0, 0)
    return estimated(n, statistics.fmean(values.values()) if n else math.nan, analysis(values), shares)


def difference(cell: Repeats, centre: Repeats) -> Interval:
    """Cell minus centre over the repeats that both have; over seeds, where one of them has no annotators."""
    if alone(cell) == alone(centre) and annotators(cell) & annotators(centre):
        return interval({repeat: value - centre[repeat] for repeat, value in cell.items() if repeat in centre})
    seeds = sorted({seed for seed, _ in cell} & {seed for seed, _ in centre})
    mine, others = by_seed(cell), by_seed(centre)
    mean = statistics.fmean(mine[seed] - others[seed] for seed in seeds) if seeds else math.nan
    if alone(cell) == alone(centre):  # by other annotators: nothing tells what an annotator adds from the rest
        return Interval(len(seeds), mean, math.nan, math.nan)
    many, one = (centre, cell) if alone(cell) else (cell, centre)
    differences = {(seed, name): value - one[seed, NONE] for (seed, name), value in many.items() if seed in seeds}
    shares = {(seed, name): 1 / len(seeds) / sum(other == seed for other, _ in many) for seed, name in differences}
    both = Shares(
        *map(sum, zip(shares_of(shares), Shares(1 / max(1, len(seeds)), 0, 1 / max(1, len(seeds))), strict=True))
    )
    return estimated(len(seeds), mean, of_both(differences), both)


def of_both(differences: Repeats) -> Analysis:
    """What the differences of a cell to one without annotators tell of the noise of either.

    Half of a difference's variance is the cell's, half the other's, which has one run a seed: a mean of differences.
    """
    means = {(seed, NONE): value for seed, value in by_seed(differences).items()}
    found = [analysis({repeat: value / math.sqrt(2) for repeat, value in one.items()}) for one in (differences, means)]
    return Analysis(
        *(Square(*((a + b) / 2 for a, b in zip(*parts, strict=True))) for parts in zip(*found, strict=True))
    )


def estimated(n: int, mean: float, found: Analysis, shares: Shares) -> Interval:
    """With Satterthwaite's degrees of freedom of a sum of mean squares."""
    if n < 3 or found.seed.df + found.rest.df == 0:
        return Interval(n, mean, math.nan, math.nan)
    variance, degrees = variance_and_degrees(found, shares)
    error = math.sqrt(variance)
    if error < 1e-12:
        return Interval(n, mean, 0.0, float(abs(mean) < 1e-12))
    return Interval(
        n, mean, float(stats.t.ppf(0.975, degrees)) * error, 2 * float(stats.t.sf(abs(mean) / error, degrees))
    )


def variance_and_degrees(found: Analysis, shares: Shares) -> tuple[float, float]:
    seed, annotator, rest = pooled(found)
    of_seed = shares.seed * seed.df / seed.load if seed.load else 0.0
    of_annotator = shares.annotator * annotator.df / annotator.load if annotator.load else 0.0
    squares = [(of_seed, seed), (of_annotator, annotator), (shares.run - of_seed - of_annotator, rest)]
    variance = shares.run * rest.mean
    for share, square in ((shares.seed, seed), (shares.annotator, annotator)):
        if square.load:
            variance += share * max(0.0, square.sum - square.df * rest.mean) / square.load
    spread = sum((factor * square.mean) ** 2 / square.df for factor, square in squares if square.df)
    return variance, variance**2 / spread if spread else 0.0


def pooled(found: Analysis) -> Analysis:
    """What seeds or annotators add is taken for nothing where it looks like less, and counts as noise."""
    parts, rest = {"seed": found.seed, "annotator": found.annotator}, found.rest
    for _ in range(2):
        level = rest
        for name, part in list(parts.items()):
            if part.df >= 2 and level.df > 0 and part.mean <= (1 + 1e-9) * level.mean:  # ties count as nothing
                rest = Square(rest.sum + part.sum, rest.df + part.df, rest.load)
                del parts[name]
    nothing = Square(0.0, 0.0, 0.0)
    return Analysis(parts.get("seed", nothing), parts.get("annotator", nothing), rest)


def two_way(values: Repeats) -> Analysis:
    """The analysis of variance of a table without a gap, by loops."""
    seeds, names = sorted({seed for seed, _ in values}), sorted({name for _, name in values})
    whole = statistics.fmean(values.values())
    of_seed = {seed: statistics.fmean(values[seed, name] for name in names) for seed in seeds}
    of_name = {name: statistics.fmean(values[seed, name] for seed in seeds) for name in names}
    between = len(names) * sum((mean - whole) ** 2 for mean in of_seed.values())
    across = len(seeds) * sum((mean - whole) ** 2 for mean in of_name.values())
    left = sum((value - of_seed[seed] - of_name[name] + whole) ** 2 for (seed, name), value in values.items())
    one, other = len(seeds) - 1, len(names) - 1
    return Analysis(
        Square(between, one, one * len(names)), Square(across, other, other * len(seeds)),
        Square(left, one * other, one * other),
    )  # fmt: skip


def of_study(cells: Sequence[Repeats]) -> Analysis:
    """Of all cells at once, what cells and repeats have in common taken out; they all have the same repeats."""
    of_repeat = {repeat: statistics.fmean(cell[repeat] for cell in cells) for repeat in cells[0]}
    parts = [two_way({repeat: value - of_repeat[repeat] for repeat, value in cell.items()}) for cell in cells]
    left = 1 - 1 / len(cells)  # of a degree of freedom of a cell
    return Analysis(
        *(Square(sum(one.sum for one in of), left * sum(one.df for one in of), left * sum(one.load for one in of))
          for of in zip(*parts, strict=True))
    )  # fmt: skip


def analysis(values: Repeats) -> Analysis:
    """Henderson's reductions by least squares, with any runs missing; load: the reduction of its indicators."""
    if len(values) < 2:
        return Analysis(*[Square(0.0, 0.0, 0.0)] * 3)
    y = np.array(list(values.values()))
    by_seed, by_name = (np.array([[key[k] == other for other in {one[k] for one in values}] for key in values], float)
                        for k in (0, 1))  # fmt: skip
    both = np.hstack([by_seed, by_name])
    rank = {id(columns): int(np.linalg.matrix_rank(columns)) for columns in (by_seed, by_name, both)}

    def reduction(y: np.ndarray, without: np.ndarray) -> float:
        return left_over(y, without) - left_over(y, both)

    found = []
    for without, of in ((by_name, by_seed), (by_seed, by_name)):
        df = rank[id(both)] - rank[id(without)]
        load = reduction(of, without)  # of all indicators
        found.append(Square(reduction(y, without), df, load) if df else Square(0.0, 0.0, 0.0))
    df = len(y) - rank[id(both)]
    rest = Square(left_over(y, both) if df else 0.0, df, df)
    if not any(square.df for square in (*found, rest)):  # every run has a seed and an annotator of its own
        rest = Square(float(((y - y.mean()) ** 2).sum()), len(y) - 1, 0.0)
    return Analysis(found[0], found[1], rest)


def left_over(y: np.ndarray, columns: np.ndarray) -> float:
    fitted = columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    return float(((y - fitted) ** 2).sum())


def shares_of(share: Repeats) -> Shares:
    """Of the share that each run has in a mean."""
    seeds: dict[int, float] = {}
    names: dict[str, float] = {}
    for (seed, name), value in share.items():
        seeds[seed] = seeds.get(seed, 0.0) + value
        names[name] = names.get(name, 0.0) + value
    of_names = 0.0 if set(names) == {NONE} else sum(value**2 for value in names.values())
    return Shares(sum(value**2 for value in seeds.values()), of_names, sum(value**2 for value in share.values()))


def annotators(values: Repeats) -> set[str]:
    return {name for _, name in values}


def alone(values: Repeats) -> bool:
    return annotators(values) == {NONE}


def by_seed(values: Repeats) -> dict[int, float]:
    seeds: dict[int, list[float]] = {}
    for (seed, _), value in values.items():
        seeds.setdefault(seed, []).append(value)
    return {seed: statistics.fmean(found) for seed, found in seeds.items()}
