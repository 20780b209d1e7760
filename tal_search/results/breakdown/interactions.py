"""Interactions of two axes of a grid: residuals of the cells' means from an additive model, and an F test of them.

Compared within blocks, as in `axis_effects`: between cells that differ only in the two axes.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tal_search.results.axis_effects import NEEDS_REPEATS, WITHIN_NOISE
from tal_search.results.breakdown.main_effects import CellMeans, blocks, cell_means, ordered
from tal_search.results.cell_table import numbered, repeats
from tal_search.results.noise import noise
from tal_search.results.statistics import need_words, runs_of, seeds_for
from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.contrasts import CONFIDENCE, LEAST_REPEATS, quantile
from tal_search.results.uncertainty.families import SIGNIFICANT, holm
from tal_search.results.uncertainty.model import modelled
from tal_search.results.uncertainty.moderation import LEAST_CELLS
from tal_search.types import Floats

INTERACT = "interact"
MOST_PLACES = 400  # entries of a table of two axes; its covariance matrix has their square
COLUMNS = ("first", "second", "largest", "p", "p adjusted", "verdict", "needs")


class Interaction(NamedTuple):
    """Two axes. residuals: mean mAP − additive model, points; rows are values of `second`, columns of `first`.

    p: of the F test that all residuals are 0, NaN if unknown; spread: the largest variance of a residual; by_annotator:
    the share of it that more seeds do not reduce; degrees: its degrees of freedom.
    """

    first: str
    second: str
    residuals: pd.DataFrame
    p: float
    spread: float
    by_annotator: float
    degrees: float

    @property
    def largest(self) -> float:
        return float(np.nanmax(np.abs(self.residuals.to_numpy(np.float64))))


@lru_cache(maxsize=4)
def interactions(data: StudyFrame) -> dict[tuple[str, str], Interaction]:
    """Interactions by pair of axes, in the study's order, at `data.score` in points; none for plans other than a grid.

    A pair is left out if its cells do not make a complete table, as a value of one axis was not tried at a value of the
    other or no block has both, and if the table has more than MOST_PLACES entries.
    """
    numbering, trials = numbered(data)
    done = repeats(trials).dropna(subset=data.score)
    if data.plan != "grid" or len(data.axes) < 2 or done.empty:
        return {}
    code_N, numbers = pd.factorize(done["cell"])
    rows, runs = numbering.loc[numbers].reset_index(drop=True), runs_of(done[data.score], code_N, done)
    centre = next(iter(np.flatnonzero(rows["centre"])), -1)
    means = cell_means(modelled(runs, int(centre), "new annotators"))
    tested = not data.subjects and len(rows) >= LEAST_CELLS and float(np.median(runs.present.sum(1))) >= LEAST_REPEATS
    pairs = {pair: _interaction(rows, list(data.axes), pair, means, tested) for pair in combinations(data.axes, 2)}
    return {pair: interaction for pair, interaction in pairs.items() if interaction is not None}


def interaction_table(data: StudyFrame) -> pd.DataFrame:
    """One row per pair of axes, the lowest p first: `first`, `second`, `largest` residual in points, `p`, `p adjusted`
    over pairs, `verdict` (interact, within noise, needs repeats) and `needs`, what would decide it.
    """
    pairs = list(interactions(data).values())
    limit, seeds = noise(data), int(data.done["seed"].nunique())
    rows = []
    for pair, corrected in zip(pairs, holm([pair.p for pair in pairs]), strict=True):
        verdict, needs = _verdict(pair, corrected, limit, seeds)
        needs = "a study without folds" if data.subjects else needs
        rows.append([pair.first, pair.second, pair.largest, pair.p, corrected, verdict, needs])
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["p adjusted", "largest"], ascending=[True, False], ignore_index=True, kind="stable")


def _interaction(
    rows: pd.DataFrame, axes: list[str], pair: tuple[str, str], means: CellMeans, tested: bool
) -> Interaction | None:
    """Residuals of two axes, by least squares of the cells' means on their table and on blocks."""
    block_N = blocks(rows, [axis for axis in axes if axis not in pair])
    place_2N, values = zip(*(ordered(rows[axis]) for axis in pair), strict=True)
    shape = len(values[0]), len(values[1])
    if min(shape) < 2 or math.prod(shape) > MOST_PLACES:
        return None
    known_N = np.isfinite(means.mean)
    cell_N = (place_2N[0] * shape[1] + place_2N[1])[known_N]
    within_NT = np.eye(math.prod(shape))[cell_N]
    within_NT = within_NT - pd.DataFrame(within_NT).groupby(block_N[known_N]).transform("mean").to_numpy()
    square_TT = within_NT.T @ within_NT
    if np.linalg.matrix_rank(square_TT, hermitian=True) < math.prod(shape) - 1:
        return None
    left_TT = _without_axes(shape)
    solve_TN = left_TT @ np.linalg.pinv(square_TT, hermitian=True) @ within_NT.T
    variance_N = means.variance[known_N]
    residual_T, covariance_TT = solve_TN @ means.mean[known_N], (solve_TN * variance_N) @ solve_TN.T
    degrees = _degrees(means, known_N)
    rank = (shape[0] - 1) * (shape[1] - 1)
    return Interaction(
        *pair, pd.DataFrame(residual_T.reshape(shape).T, index=values[1], columns=values[0]),
        p=_p_value(residual_T, covariance_TT, rank, degrees) if tested else math.nan,
        spread=float(np.diag(covariance_TT).max()),
        by_annotator=float(means.by_annotator[known_N].sum() / variance_N.sum()) if variance_N.sum() > 0 else 0.0,
        degrees=degrees,
    )  # fmt: skip


def _without_axes(shape: tuple[int, int]) -> Floats:
    """The projection of a table's entries, row by row, onto the residuals of its row and column means."""
    first, second = (np.eye(count) - 1 / count for count in shape)
    return np.kron(first, second).astype(np.float64)


def _degrees(means: CellMeans, known_N: NDArray[np.bool_]) -> float:
    """Degrees of freedom of the covariance of means; 0 if it is unknown."""
    variance_N = means.variance[known_N]
    if not means.known or variance_N.sum() <= 0:
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.nan_to_num((variance_N**2 / means.own_degrees[known_N]).sum() / variance_N.sum() ** 2)
        return float(1 / (1 / means.common_degrees[known_N].mean() + own))


def _p_value(residual: Floats, covariance: Floats, rank: int, degrees: float) -> float:
    from scipy.special import fdtrc

    if degrees <= 0:
        return math.nan
    size = float(residual @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ residual)
    return float(fdtrc(rank, degrees, size / rank))


def _verdict(pair: Interaction, p: float, noise_floor: float, seeds: int) -> tuple[str, str]:
    """Verdict and needs; `within noise` if no residual can exceed the noise floor, see `statistics.verdicts`."""
    from scipy.special import ndtri

    if p < SIGNIFICANT:
        return INTERACT, ""
    if math.isnan(p):
        few = pair.residuals.size < LEAST_CELLS and pair.degrees > 0
        return NEEDS_REPEATS, f"{LEAST_CELLS} cells" if few else f"{LEAST_REPEATS} seeds"
    if pair.largest + float(quantile(np.array(pair.degrees))) * math.sqrt(pair.spread) <= noise_floor:
        return WITHIN_NOISE, ""
    target = (pair.largest / -float(ndtri((1 - CONFIDENCE) / 2 / pair.residuals.size))) ** 2
    spread, fixed = np.array(pair.spread), np.array(pair.by_annotator * pair.spread)
    return NEEDS_REPEATS, need_words(float(seeds_for(spread, fixed, seeds, np.array(target))))
