"""Model of all runs of a study: pooled variance components, the noisiness of each cell, variances of means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tal_search.results.uncertainty.components import Components, Weights, components, squares, weights
from tal_search.results.uncertainty.moderation import LEAST_CELLS, Noisiness, moderated
from tal_search.results.uncertainty.runs import Runs, residuals
from tal_search.types import Floats

Claim = Literal["new annotators", "these annotators"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """mean: μ_c [C], without the effects of repeats; common: components pooled over cells; noisy: of each cell.

    degrees: of freedom for the effect of a seed on a cell, over all cells; 0 if all runs have the same seed.
    """

    runs: Runs
    mean: Floats
    common: Components
    noisy: Noisiness
    degrees: float
    claim: Claim

    def weights(self, share_CR: Floats, single: NDArray[np.bool_]) -> Weights:
        """Weights of means, one per row, in which runs have these shares; single: rows whose runs have no annotator."""
        seed, annotator = self.runs.seed, self.runs.annotator
        of_mean = weights(share_CR, Runs(value=share_CR, seed=seed, annotator=annotator, single=single))
        return of_mean if self.claim == "new annotators" else of_mean._replace(annotator=np.zeros(len(share_CR)))

    def variance(self, share: Weights, ratio: Floats) -> Floats:
        """Variance of means of cells whose noisiness is `ratio` times the common one.

        In a quiet cell only the residual is smaller: the effects of seeds and annotators need not be.
        """
        effects = self.common.seed * share.seed + self.common.annotator * share.annotator
        variance: Floats = effects * np.maximum(ratio, 1.0) + self.common.rest * share.run * ratio
        return variance

    def by_annotator(self, share: Weights, ratio: Floats) -> Floats:
        """The part of the variance that more seeds do not reduce."""
        variance: Floats = self.common.annotator * share.annotator * np.maximum(ratio, 1.0)
        return variance

    def common_degrees(self, share: Weights) -> Floats:
        """Degrees of freedom of the pooled variance; fewer if cells are unequal, as noisy cells dominate the pool."""
        ratio_C = self.noisy.ratio
        degrees = self.common.degrees(share) * ratio_C.mean() ** 2 / (ratio_C**2).mean()
        return np.where((degrees == 0) & (self.common.of_run == 0), self.degrees, degrees)


def modelled(runs: Runs, centre: int, claim: Claim) -> Model:
    """Fit the model; centre: the row that all others are compared with, -1 for none."""
    left_CR, kept, mean_C = residuals(runs)
    of_cells = squares(left_CR, runs)
    pooled = of_cells.pooled(kept)
    common = components(pooled)
    return Model(
        runs=runs, mean=mean_C, common=common, noisy=moderated(of_cells, common, centre),
        degrees=float((pooled.seed.df + pooled.rest.df)[0]), claim=claim,
    )  # fmt: skip


def run_variance(model: Model, cell: int) -> tuple[float, int]:
    """Variance of single runs of a cell, including seeds and annotators; and the number of runs it is estimated from.

    Variances within cells are pooled, weighted by their degrees of freedom, and multiplied by the cell's noisiness;
    with fewer than LEAST_CELLS cells that have repeats it is the cell's own. NaN and 0 if no such cell has repeats.
    """
    value_CR = model.runs.value
    n_C = model.runs.present.sum(1)
    several = n_C > 1
    rows = several if several.sum() >= LEAST_CELLS else several & (np.arange(len(n_C)) == cell)
    if not rows.any():
        return float("nan"), 0
    spread_C = np.nanvar(value_CR[rows], axis=1, ddof=1)
    freedom_C = n_C[rows] - 1
    pooled = float((spread_C * freedom_C).sum() / freedom_C.sum())
    return pooled * float(model.noisy.ratio[cell]), int(n_C[rows].sum())


def added(cell: Weights, centre: Weights) -> Weights:
    """Weights of the difference of two independent means."""
    return Weights(*(a + b for a, b in zip(cell, centre, strict=True)))
