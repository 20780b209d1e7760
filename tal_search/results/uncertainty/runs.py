"""Runs of a study as arrays, and their residuals once the common effects of cells and repeats are removed.

Shapes: C cells, R repeats (each a seed and an annotator), I seeds, J annotators. NaN marks a run that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.types import Floats, Ints

FITTING_ROUNDS = 50  # of alternating least squares, where runs are missing


@dataclass(frozen=True, kw_only=True)
class Runs:
    """value float64 [C, R]; seed and annotator int64 [R], any codes.

    single: bool [C], cells that read no clicks: their runs have no annotator and exist once per seed.
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
        """Indicator [R, I] of each repeat's seed."""
        of_seed_RI: Floats = (self.seed[:, None] == np.unique(self.seed)).astype(np.float64)
        return of_seed_RI

    @property
    def of_annotator(self) -> Floats:
        """Indicator [R, J] of each repeat's annotator."""
        of_annotator_RJ: Floats = (self.annotator[:, None] == np.unique(self.annotator)).astype(np.float64)
        return of_annotator_RJ

    def of(self, cells: Ints) -> Runs:
        """The runs of some cells only."""
        return Runs(value=self.value[cells], seed=self.seed, annotator=self.annotator, single=self.single[cells])


def residuals(runs: Runs) -> tuple[Floats, float, Floats]:
    """y − μ_c − g_ij [C, R] by least squares; the share of a degree of freedom left after fitting g_ij; μ_c [C].

    Residuals are scaled so that a run's variance is the same as without the fit. They are also NaN where no other cell
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


def _repeated(runs: Runs) -> Floats:
    """The values; those of a cell without annotators are repeated for every annotator of their seed."""
    value_CR = runs.value.copy()
    for cell in np.flatnonzero(runs.single):
        for seed, value in zip(runs.seed[runs.present[cell]], runs.value[cell, runs.present[cell]], strict=True):
            value_CR[cell, runs.seed == seed] = value
    return value_CR


def _collapsed(left_CR: Floats, runs: Runs) -> Floats:
    """Undo `_repeated`: one residual per seed, the mean over the annotators."""
    left_CR = left_CR.copy()
    for cell in np.flatnonzero(runs.single):
        for column in np.flatnonzero(runs.present[cell]):
            of_seed = left_CR[cell, runs.seed == runs.seed[column]]
            known = of_seed[np.isfinite(of_seed)]
            left_CR[cell, runs.seed == runs.seed[column]] = np.nan
            left_CR[cell, column] = known.mean() if len(known) else np.nan
    return left_CR
