"""Variance components of repeated runs, whose seeds and annotators are crossed: every seed meets every annotator.

A run of cell c with seed i and annotator j is y = μ_c + g_ij + s_ci + a_cj + e_cij. The effect g_ij of a repeat on all
cells cancels in comparisons; the effects of a seed or an annotator on one cell, s_ci and a_cj, do not, and more runs
with the same seeds do not average them out. Sums of squares are Henderson's (method III), which equal those of the
analysis of variance if no run is missing; a component that would be negative is pooled with the residual.

Shapes: C cells, R repeats (each a seed and an annotator), I seeds, J annotators. NaN marks a run that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tal_search.results.uncertainty.runs import Runs
from tal_search.types import Floats, Ints

LEAST_TO_POOL = 2  # degrees of freedom that a component needs before it may be treated as zero
ALIKE = 1 + 1e-9  # mean squares within this ratio are equal up to rounding


class Square(NamedTuple):
    """A sum of squares [C] with its degrees of freedom; its expectation is `load` · component + `df` · σ_e²."""

    sum: Floats
    df: Floats
    load: Floats

    def pooled(self, share: float) -> Square:
        """The sum over all cells, [1]; share: of a degree of freedom left after fitting g_ij."""
        return Square(*(share * value.sum(keepdims=True) for value in self))

    @property
    def mean(self) -> Floats:
        return _divided(self.sum, self.df)


class Squares(NamedTuple):
    """Sums of squares within cells: over seeds, over annotators, and residual."""

    seed: Square
    annotator: Square
    rest: Square

    def pooled(self, share: float) -> Squares:
        return Squares(*(part.pooled(share) for part in self))


class Weights(NamedTuple):
    """Coefficients of the components in a mean's variance, [C]: sums of squared shares of seeds, annotators, runs."""

    seed: Floats
    annotator: Floats
    run: Floats


class Components(NamedTuple):
    """Variances [C], or [1] if pooled: of the effect of a seed and of an annotator on a cell, and of the residual.

    squares: their sums of squares; a part pooled with the residual is in `rest`, and `seed` or `annotator` is then 0.
    """

    seed: Floats
    annotator: Floats
    rest: Floats
    squares: Squares

    @property
    def of_run(self) -> Floats:
        """Variance of one run with its own seed and annotator."""
        return self.seed + self.annotator + self.rest

    def variance(self, weights: Weights) -> Floats:
        """Variance of a mean of runs."""
        return self.seed * weights.seed + self.annotator * weights.annotator + self.rest * weights.run

    def degrees(self, weights: Weights) -> Floats:
        """Satterthwaite's degrees of freedom of `variance`; 0 without any degrees of freedom."""
        seed, annotator, rest = self.squares.seed, self.squares.annotator, self.squares.rest
        of_seed = _divided(weights.seed * seed.df, seed.load)
        of_annotator = _divided(weights.annotator * annotator.df, annotator.load)
        spread = _divided((of_seed * seed.mean) ** 2, seed.df)
        spread = spread + _divided((of_annotator * annotator.mean) ** 2, annotator.df)
        spread = spread + _divided(((weights.run - of_seed - of_annotator) * rest.mean) ** 2, rest.df)
        return _divided(self.variance(weights) ** 2, spread)


def squares(left_CR: Floats, runs: Runs) -> Squares:
    """Sums of squares of each cell, from residuals or from the runs themselves; 0 with 0 degrees for a single run."""
    parts = Squares(*(Square(*(np.zeros(len(left_CR)) for _ in Square._fields)) for _ in Squares._fields))
    for cells, columns in _patterns(left_CR):
        value_cr = left_CR[np.ix_(cells, columns)]
        forms = _forms(runs.of_seed[columns], runs.of_annotator[columns])
        for part, (form, df, load) in zip(parts, forms, strict=True):
            part.sum[cells] = np.maximum(np.einsum("cr,rs,cs->c", value_cr, form, value_cr), 0.0)
            part.df[cells], part.load[cells] = df, load
    return parts


def components(of_runs: Squares) -> Components:
    """The three variances, none below 0."""
    effects, dropped = of_runs[:2], [np.zeros(len(of_runs.rest.sum), np.bool_)] * 2
    for _ in range(2):  # pooling one may lift the residual above the other
        rest = _joined(of_runs.rest, effects, dropped)
        dropped = [
            gone | ((part.df >= LEAST_TO_POOL) & (rest.df > 0) & (part.mean <= ALIKE * rest.mean))
            for gone, part in zip(dropped, effects, strict=True)
        ]
    rest = _joined(of_runs.rest, effects, dropped)
    seed, annotator = (_emptied(part, gone) for part, gone in zip(effects, dropped, strict=True))
    variances = [np.maximum(_divided(part.sum - part.df * rest.mean, part.load), 0.0) for part in (seed, annotator)]
    return Components(
        seed=variances[0],
        annotator=variances[1],
        rest=rest.mean,
        squares=Squares(seed=seed, annotator=annotator, rest=rest),
    )


def weights(share_CR: Floats, runs: Runs) -> Weights:
    """Weights of means in which each run has the share [C, R]; NaN and 0 mark runs outside a mean."""
    share_CR = np.nan_to_num(share_CR)
    annotator_C = ((share_CR @ runs.of_annotator) ** 2).sum(1)
    return Weights(
        seed=((share_CR @ runs.of_seed) ** 2).sum(1),
        annotator=np.where(runs.single, 0.0, annotator_C),
        run=(share_CR**2).sum(1),
    )


def _joined(rest: Square, parts: tuple[Square, ...], dropped: list[NDArray[np.bool_]]) -> Square:
    """The residual with the parts that are dropped from the model."""
    added = list(zip(parts, dropped, strict=True))
    return Square(
        sum=rest.sum + sum(part.sum * gone for part, gone in added),
        df=rest.df + sum(part.df * gone for part, gone in added),
        load=rest.load,
    )


def _emptied(part: Square, gone: NDArray[np.bool_]) -> Square:
    return Square(*(np.where(gone, 0.0, value) for value in part))


def _patterns(value_CR: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Groups of cells with the same runs, and the columns of these runs, so that each pattern is analysed once."""
    present_CR = np.isfinite(value_CR)
    packed_C = np.packbits(present_CR, axis=1)
    _, first, number_C = np.unique([row.tobytes() for row in packed_C], return_index=True, return_inverse=True)
    for place, cell in enumerate(first):
        if present_CR[cell].sum() > 1:
            yield np.flatnonzero(number_C == place), np.flatnonzero(present_CR[cell])


def _forms(seed_rI: Floats, annotator_rJ: Floats) -> list[tuple[Floats, float, float]]:
    """Quadratic forms over r runs of seed, annotator and residual: the matrix, its degrees of freedom, its load."""
    one = np.ones((len(seed_rI), 1))
    mean, by_seed, by_annotator = (_projection(part) for part in (one, seed_rI, annotator_rJ))
    both = _projection(np.hstack([seed_rI, annotator_rJ]))
    forms = []
    for form, of in (
        (both - by_annotator, seed_rI),
        (both - by_seed, annotator_rJ),
        (np.eye(len(one)) - both, one),
    ):
        df = float(np.round(np.trace(form)))
        forms.append((form, df, float(np.trace(form @ of @ of.T))) if df else (np.zeros_like(form), 0.0, 0.0))
    if not any(df for _, df, _ in forms):  # no two runs share a seed or an annotator
        forms[-1] = (np.eye(len(one)) - mean, float(len(one) - 1), 0.0)
    return forms


def _projection(columns: Floats) -> Floats:
    projection: Floats = columns @ np.linalg.pinv(columns)
    return projection


def _divided(a: Floats, b: Floats) -> Floats:
    """a / b, or 0 where b is 0."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.divide(a, b, out=np.zeros(a.shape), where=b > 0)
