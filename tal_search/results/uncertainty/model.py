"""The runs of a study as one model: what its cells have in common, how noisy each is, the spread of a mean of runs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tal_search.results.uncertainty.components import Components, Runs, Weights, components, residuals, squares, weights
from tal_search.results.uncertainty.moderation import LEAST_CELLS, Noisiness, moderated
from tal_search.types import Floats

Claim = Literal["new annotators", "these annotators"]


@dataclass(frozen=True, kw_only=True)
class Model:
    """mean: μ_c [C], what repeats add to all cells taken out; common: components of all cells; noisy: of each.

    degrees: for what a seed adds to a cell, over all cells; 0 where all runs have one seed, and nothing can be said.
    """

    runs: Runs
    mean: Floats
    common: Components
    noisy: Noisiness
    degrees: float
    claim: Claim

    def weights(self, share_CR: Floats, single: NDArray[np.bool_]) -> Weights:
        """Of a mean a row, which gives runs these shares; single: whether its runs have no annotator."""
        seed, annotator = self.runs.seed, self.runs.annotator
        found = weights(share_CR, Runs(value=share_CR, seed=seed, annotator=annotator, single=single))
        if self.claim == "new annotators":
            return found
        return Weights(seed=found.seed, annotator=np.zeros(len(share_CR)), run=found.run)

    def variance(self, share: Weights, ratio: Floats) -> Floats:
        """Of means of cells so many times as noisy as all.

        A quiet cell's runs are less noisy, but what a seed or an annotator adds to it need not be less.
        """
        effects = self.common.seed * share.seed + self.common.annotator * share.annotator
        found: Floats = effects * np.maximum(ratio, 1.0) + self.common.rest * share.run * ratio
        return found

    def by_annotator(self, share: Weights, ratio: Floats) -> Floats:
        """The part of it that more seeds do not lower."""
        found: Floats = self.common.annotator * share.annotator * np.maximum(ratio, 1.0)
        return found

    def common_degrees(self, share: Weights) -> Floats:
        """Of freedom of a variance, as far as it is common; noisy cells count more for it, and are fewer."""
        ratio_C = self.noisy.ratio
        found = self.common.degrees(share) * ratio_C.mean() ** 2 / (ratio_C**2).mean()
        return np.where((found == 0) & (self.common.of_run == 0), self.degrees, found)


def modelled(runs: Runs, centre: int, claim: Claim) -> Model:
    """centre: the row that every other is compared with, -1 for none."""
    left_CR, kept, mean_C = residuals(runs)
    found = squares(left_CR, runs)
    pooled = found.pooled(kept)
    common = components(pooled)
    return Model(
        runs=runs, mean=mean_C, common=common, noisy=moderated(found, common, centre),
        degrees=float((pooled.seed.df + pooled.rest.df)[0]), claim=claim,
    )  # fmt: skip


def run_variance(model: Model, cell: int) -> tuple[float, int]:
    """How much single runs of a cell vary, seeds and annotators included; and how many runs of all cells tell.

    Variances within cells are pooled, weighted by their degrees of freedom, times how noisy this cell is beside all;
    where fewer than LEAST_CELLS have repeats it is the cell's own. NaN and 0 where nothing tells.
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


def added(one: Weights, other: Weights) -> Weights:
    return Weights(**{spec.name: getattr(one, spec.name) + getattr(other, spec.name) for spec in fields(Weights)})
