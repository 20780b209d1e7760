"""Variance components of repeated runs, whose seeds and annotators are crossed: every seed meets every annotator.

A run of cell c with seed i and annotator j is y = μ_c + g_ij + s_ci + a_cj + e_cij. What a repeat adds to all cells,
g_ij, drops out of comparisons; what a seed or an annotator adds to one cell, s_ci and a_cj, does not, and further runs
with the same seeds do not average it away. Sums of squares are Henderson's (method III), which are those of the
analysis of variance where no run is missing; a component that would be negative is pooled with what is left over.

Shapes: C cells, R repeats (each a seed and an annotator), I seeds, J annotators. NaN is a run that there is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.types import Floats, Ints

FITTING_ROUNDS = 50
LEAST_TO_POOL = 2  # degrees of freedom that a component needs before it may be taken for nothing
ALIKE = 1 + 1e-9  # ratio of mean squares whose order is rounding


@dataclass(frozen=True, kw_only=True)
class Runs:
    """value float64 [C, R]; seed and annotator int64 [R], any numbers.

    single: bool [C], the cells that read no clicks: their runs have no annotator, and stand once a seed.
    """

    value: Floats
    seed: Ints
    annotator: Ints
    single: NDArray[np.bool_]

    @property
    def present(self) -> NDArray[np.bool_]:
        present_CR: NDArray[np.bool_] = np.isfinite(self.value)
        return present_CR

    @property
    def of_seed(self) -> Floats:
        """[R, I]: 1 where a repeat has a seed."""
        of_seed_RI: Floats = (self.seed[:, None] == np.unique(self.seed)).astype(np.float64)
        return of_seed_RI

    @property
    def of_annotator(self) -> Floats:
        """[R, J]: 1 where a repeat has an annotator."""
        of_annotator_RJ: Floats = (self.annotator[:, None] == np.unique(self.annotator)).astype(np.float64)
        return of_annotator_RJ

    def of(self, cells: Ints) -> Runs:
        return Runs(value=self.value[cells], seed=self.seed, annotator=self.annotator, single=self.single[cells])


@dataclass(frozen=True, kw_only=True)
class Square:
    """A sum of squares [C] with its degrees of freedom, expected to be `load` · component + `df` · σ_e²."""

    sum: Floats
    df: Floats
    load: Floats

    def pooled(self, share: float) -> Square:
        """Of all cells together, [1]; share: what is left of a degree of freedom once g_ij is fitted."""
        parts = (share * value.sum(keepdims=True) for value in (self.sum, self.df, self.load))
        return Square(**dict(zip(("sum", "df", "load"), parts, strict=True)))

    @property
    def mean(self) -> Floats:
        return _divided(self.sum, self.df)


@dataclass(frozen=True, kw_only=True)
class Squares:
    """Within cells: over seeds, over annotators, and left over."""

    seed: Square
    annotator: Square
    rest: Square

    def pooled(self, share: float) -> Squares:
        return Squares(**{name: part.pooled(share) for name, part in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What a mean's variance has of each component, [C]: sums of squared shares of its seeds, annotators and runs."""

    seed: Floats
    annotator: Floats
    run: Floats


@dataclass(frozen=True, kw_only=True)
class Components:
    """Variances [C], or [1] where they are pooled: what a seed and an annotator add to a cell, and the rest of a run.

    squares: what they were found from, `rest` holding what was pooled with it and `seed` or `annotator` then empty.
    """

    seed: Floats
    annotator: Floats
    rest: Floats
    squares: Squares

    @property
    def of_run(self) -> Floats:
        """Of one run with a seed and an annotator of its own."""
        return self.seed + self.annotator + self.rest

    def variance(self, weights: Weights) -> Floats:
        """Of a mean of runs."""
        return self.seed * weights.seed + self.annotator * weights.annotator + self.rest * weights.run

    def degrees(self, weights: Weights) -> Floats:
        """Satterthwaite's degrees of freedom of `variance`; 0 where there is nothing to tell from."""
        seed, annotator, rest = self.squares.seed, self.squares.annotator, self.squares.rest
        of_seed = _divided(weights.seed * seed.df, seed.load)
        of_annotator = _divided(weights.annotator * annotator.df, annotator.load)
        spread = _divided((of_seed * seed.mean) ** 2, seed.df)
        spread = spread + _divided((of_annotator * annotator.mean) ** 2, annotator.df)
        spread = spread + _divided(((weights.run - of_seed - of_annotator) * rest.mean) ** 2, rest.df)
        return _divided(self.variance(weights) ** 2, spread)


def residuals(runs: Runs) -> tuple[Floats, float, Floats]:
    """y − μ_c − g_ij [C, R] by least squares; the share of a degree of freedom that fitting g_ij leaves; μ_c [C].

    Residuals are scaled so that a run's variance is what it would be without the fit, and NaN also where no other cell
    has the repeat. Σ g_ij = 0.
    """
    value_CR = _repeated(runs)
    present_CR = np.isfinite(value_CR)
    present_CR &= present_CR.sum(0) > 1
    value_CR = np.where(present_CR, value_CR, 0.0)
    cells_R, runs_C = np.maximum(present_CR.sum(0), 1), np.maximum(present_CR.sum(1), 1)
    repeat_R, cell_C = np.zeros(value_CR.shape[1]), value_CR.sum(1) / runs_C
    for _ in range(FITTING_ROUNDS if not present_CR.all() else 1):
        repeat_R = (value_CR - present_CR * cell_C[:, None]).sum(0) / cells_R
        cell_C = (value_CR - present_CR * repeat_R).sum(1) / runs_C
    left_CR = np.where(present_CR, value_CR - cell_C[:, None] - repeat_R, np.nan)
    share = 1 - 1 / np.maximum(cells_R, 2)
    kept = float(np.average(share, weights=cells_R))
    return _collapsed(left_CR / np.sqrt(share), runs), kept, cell_C + repeat_R.mean()


def squares(left_CR: Floats, runs: Runs) -> Squares:
    """Sums of squares of each cell, of residuals or of the runs themselves; 0 with 0 degrees where there is one run."""
    names = ("sum", "df", "load")
    found = {part: {name: np.zeros(len(left_CR)) for name in names} for part in ("seed", "annotator", "rest")}
    for cells, columns in _patterns(left_CR):
        forms = _forms(runs.of_seed[columns], runs.of_annotator[columns])
        value_cr = left_CR[np.ix_(cells, columns)]
        for part, (form, df, load) in forms.items():
            found[part]["sum"][cells] = np.maximum(np.einsum("cr,rs,cs->c", value_cr, form, value_cr), 0.0)
            found[part]["df"][cells], found[part]["load"][cells] = df, load
    return Squares(**{part: Square(**arrays) for part, arrays in found.items()})


def components(found: Squares) -> Components:
    """The three variances, none below 0."""
    seed, annotator, rest = found.seed, found.annotator, found.rest
    dropped = [np.zeros(len(rest.sum), np.bool_)] * 2
    for _ in range(2):  # pooling one may lift the rest above the other
        rest = _joined(found.rest, [seed, annotator], dropped)
        dropped = [
            gone | ((part.df >= LEAST_TO_POOL) & (rest.df > 0) & (part.mean <= ALIKE * rest.mean))
            for gone, part in zip(dropped, (seed, annotator), strict=True)
        ]
    rest = _joined(found.rest, [seed, annotator], dropped)
    seed, annotator = _emptied(seed, dropped[0]), _emptied(annotator, dropped[1])
    variances = [np.maximum(_divided(part.sum - part.df * rest.mean, part.load), 0.0) for part in (seed, annotator)]
    return Components(
        seed=variances[0],
        annotator=variances[1],
        rest=rest.mean,
        squares=Squares(seed=seed, annotator=annotator, rest=rest),
    )


def weights(share_CR: Floats, runs: Runs) -> Weights:
    """Of means that give each run the share [C, R]; NaN and 0 are runs that a mean does not have."""
    share_CR = np.nan_to_num(share_CR)
    annotator_C = ((share_CR @ runs.of_annotator) ** 2).sum(1)
    return Weights(
        seed=((share_CR @ runs.of_seed) ** 2).sum(1),
        annotator=np.where(runs.single, 0.0, annotator_C),
        run=(share_CR**2).sum(1),
    )


def _joined(rest: Square, parts: list[Square], dropped: list[NDArray[np.bool_]]) -> Square:
    added = list(zip(parts, dropped, strict=True))
    return Square(
        sum=rest.sum + sum(part.sum * gone for part, gone in added),
        df=rest.df + sum(part.df * gone for part, gone in added),
        load=rest.load,
    )


def _emptied(part: Square, gone: NDArray[np.bool_]) -> Square:
    return Square(**{name: np.where(gone, 0.0, value) for name, value in vars(part).items()})


def _repeated(runs: Runs) -> Floats:
    """The values, those of a cell without annotators standing for every annotator of their seed."""
    value_CR = runs.value.copy()
    for cell in np.flatnonzero(runs.single):
        for seed, value in zip(runs.seed[runs.present[cell]], runs.value[cell, runs.present[cell]], strict=True):
            value_CR[cell, runs.seed == seed] = value
    return value_CR


def _collapsed(left_CR: Floats, runs: Runs) -> Floats:
    """Back to one run a seed: the mean over the annotators."""
    left_CR = left_CR.copy()
    for cell in np.flatnonzero(runs.single):
        for column in np.flatnonzero(runs.present[cell]):
            of_seed = left_CR[cell, runs.seed == runs.seed[column]]
            found = of_seed[np.isfinite(of_seed)]
            left_CR[cell, runs.seed == runs.seed[column]] = np.nan
            left_CR[cell, column] = found.mean() if len(found) else np.nan
    return left_CR


def _patterns(value_CR: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Cells that have the same runs, with the columns of these: an analysis for each is enough."""
    present_CR = np.isfinite(value_CR)
    packed_C = np.packbits(present_CR, axis=1)
    _, first, number_C = np.unique([row.tobytes() for row in packed_C], return_index=True, return_inverse=True)
    for place, cell in enumerate(first):
        if present_CR[cell].sum() > 1:
            yield np.flatnonzero(number_C == place), np.flatnonzero(present_CR[cell])


def _forms(seed_rI: Floats, annotator_rJ: Floats) -> dict[str, tuple[Floats, float, float]]:
    """Quadratic forms over r runs, by component: the matrix, its degrees of freedom, and its load."""
    one = np.ones((len(seed_rI), 1))
    mean, by_seed, by_annotator = (_projection(part) for part in (one, seed_rI, annotator_rJ))
    both = _projection(np.hstack([seed_rI, annotator_rJ]))
    forms = {
        "seed": (both - by_annotator, seed_rI),
        "annotator": (both - by_seed, annotator_rJ),
        "rest": (np.eye(len(one)) - both, one),
    }
    found = {}
    for name, (form, of) in forms.items():
        df = float(np.round(np.trace(form)))
        found[name] = (form, df, float(np.trace(form @ of @ of.T))) if df else (np.zeros_like(form), 0.0, 0.0)
    if not any(df for _, df, _ in found.values()):  # every run with a seed and an annotator that no other run has
        form = np.eye(len(one)) - mean
        found["rest"] = (form, float(len(one) - 1), 0.0)
    return found


def _projection(columns: Floats) -> Floats:
    projection: Floats = columns @ np.linalg.pinv(columns)
    return projection


def _divided(a: Floats, b: Floats) -> Floats:
    """a / b, 0 where b is."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.divide(a, b, out=np.zeros(a.shape), where=b > 0)
