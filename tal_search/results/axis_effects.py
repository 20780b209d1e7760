"""Which axes matter: the range of mean mAP over an axis' values, beside the range that noise alone would give.

Values of an axis are compared within blocks, between cells that differ in nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tal_search.results.cell_table import cells, numbered, repeats
from tal_search.results.noise import noise
from tal_search.results.ranking import selected_by
from tal_search.results.statistics import runs_of, what_lowers
from tal_search.results.trials import StudyFrame
from tal_search.results.uncertainty.contrasts import CONFIDENCE, LEAST_REPEATS, quantile
from tal_search.results.uncertainty.families import SIGNIFICANT, holm
from tal_search.results.uncertainty.model import Model, modelled
from tal_search.results.uncertainty.moderation import LEAST_CELLS
from tal_search.types import Floats, Ints

MATTERS, WITHIN_NOISE, NEEDS_REPEATS = "matters", "within noise", "needs repeats"
METHOD = "F test of an axis' values within blocks, Holm's correction over axes (below six cells the surest cell's p)"


class _Means(NamedTuple):
    """Of each cell, [C]: its mean, what repeats add to all taken out; the variance of it, and the part of that which
    more seeds do not lower; degrees of freedom of what is common, and of what is the cell's own; known: of any.
    """

    mean: Floats
    variance: Floats
    by_annotator: Floats
    common_degrees: Floats
    own_degrees: Floats
    known: bool


@dataclass(frozen=True, kw_only=True)
class _Effect:
    """value [V], an axis' values, with their effects on mean mAP and the covariance of these; best: a value's place.

    degrees: of freedom of the covariance; by_annotator: the share of it that more seeds do not lower.
    """

    value: list[Any]
    effect: Floats
    covariance: Floats
    degrees: float
    by_annotator: float
    best: int

    @property
    def range(self) -> float:
        return float(np.ptp(self.effect))

    @property
    def pair_variance(self) -> float:
        """Of the difference of two values, on the average."""
        count, covariance = len(self.value), self.covariance
        return float(2 * (np.trace(covariance) - covariance.sum() / count) / max(1, count - 1))

    @property
    def noise_range(self) -> float:
        """The range to expect where no value differs; NaN where there are too few repeats to know the noise."""
        if self.degrees <= 0:
            return math.nan
        return expected_range(len(self.value)) * math.sqrt(self.pair_variance / 2)


@lru_cache(maxsize=4)
def axis_effects(data: StudyFrame) -> pd.DataFrame:
    """One row an axis, the surest first. A sampler's cells share no block, so there are no rows. Do not write to it.

    Columns: `axis`, `symbol`, `values` (how many), `best` (by `ranking.selected_by`), `range` of mean mAP at
    `data.score` in points, `noise range` (its expectation where the axis does nothing), `p` and `p adjusted` over axes,
    `verdict` (matters, within noise, needs repeats) and `needs`, what would decide it.
    """
    columns = ["axis", "symbol", "values", "best", "range", "noise range", "p", "p adjusted", "verdict", "needs"]
    found, trials = numbered(data)
    done = repeats(trials).dropna(subset=data.score)
    if data.plan not in ("one_at_a_time", "grid") or done.empty:
        return pd.DataFrame(columns=columns)
    code_N, numbers = pd.factorize(done["cell"])
    rows, runs = found.loc[numbers].reset_index(drop=True), runs_of(done[data.score], code_N, done)
    centre = next(iter(np.flatnonzero(rows["centre"])), -1)
    means = _means(modelled(runs, int(centre), "new annotators"))
    chosen = cells(data).loc[numbers, selected_by(data)].to_numpy(np.float64)
    effects = {axis: _effect(rows, list(data.axes), axis, means, chosen) for axis in data.axes}
    known = {axis: effect for axis, effect in effects.items() if effect is not None}
    few = {axis: _least_p(data, axis) for axis in known} if len(rows) < LEAST_CELLS else None
    p = [_p_value(effect, runs.present.sum(1)) if few is None else few[axis] for axis, effect in known.items()]
    adjusted = holm(p) if few is None else p  # those of cells are corrected over the study
    table, limit = [], noise(data)
    for (axis, effect), raw, corrected in zip(known.items(), p, adjusted, strict=True):
        verdict, needs = _verdict(effect, corrected, limit, runs.of_seed.shape[1])
        head = [axis, data.axes[axis], len(effect.value), effect.value[effect.best], effect.range, effect.noise_range]
        table.append([*head, raw, corrected, verdict, needs])
    ordered = pd.DataFrame(table, columns=columns).sort_values(["p adjusted", "range"], ascending=[True, False])
    return ordered.reset_index(drop=True)


def axis_table(data: StudyFrame) -> pd.DataFrame:
    """The same as every table of them shows it."""
    found = axis_effects(data)
    leaky = "" if selected_by(data) == "holdout" else " (on test, leaky)"
    return pd.DataFrame({
        "axis": [f"{symbol} ({axis})" for symbol, axis in zip(found["symbol"], found["axis"], strict=True)],
        "values": found["values"],
        f"best{leaky}": [f"{one:.4g}" if isinstance(one, float) else str(one) for one in found["best"]],
        f"range of {data.score} (%)": found["range"].astype(float), "by noise (%)": found["noise range"].astype(float),
        "p": found["p adjusted"].astype(float), "verdict": found["verdict"], "needs": found["needs"],
    })  # fmt: skip


def _means(model: Model) -> _Means:
    present = model.runs.present
    share, ratio = present / np.maximum(present.sum(1), 1)[:, None], model.noisy.ratio
    weights = model.weights(share, model.runs.single)
    return _Means(
        mean=model.mean, variance=model.variance(weights, ratio), by_annotator=model.by_annotator(weights, ratio),
        common_degrees=model.common_degrees(weights), own_degrees=model.noisy.degrees, known=model.degrees > 0,
    )  # fmt: skip


def _effect(rows: pd.DataFrame, axes: list[str], axis: str, means: _Means, chosen: Floats) -> _Effect | None:
    """Least squares of cells' means on values and blocks; None where no block has two values."""
    others = [name for name in axes if name != axis]
    block = (
        rows[others].astype(object).groupby(others, sort=False, dropna=False).ngroup() if others else rows["centre"] * 0
    )
    several = rows[axis].groupby(block).transform("nunique", dropna=False) > 1
    mine = np.flatnonzero(several & np.isfinite(chosen) & np.isfinite(means.mean))
    code, values = pd.factorize(rows[axis].iloc[mine], use_na_sentinel=False)
    if len(values) < 2:
        return None
    place = np.argsort(np.argsort(values)) if values.dtype.kind in "if" else np.arange(len(values))
    design = pd.DataFrame(np.eye(len(values))[place[code]])
    within = (design - design.groupby(block.iloc[mine].to_numpy()).transform("mean")).to_numpy()
    solve = np.linalg.pinv(within.T @ within) @ within.T
    variance, fixed = means.variance[mine], means.by_annotator[mine]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.nan_to_num((variance**2 / means.own_degrees[mine]).sum() / variance.sum() ** 2)
        degrees = 1 / (1 / means.common_degrees[mine].mean() + own) if means.known else 0.0
    return _Effect(
        value=[values[index] for index in np.argsort(place)],
        effect=solve @ means.mean[mine],
        covariance=(solve * variance) @ solve.T,
        degrees=float(degrees),
        by_annotator=float(fixed.sum() / variance.sum()) if variance.sum() > 0 else 0.0,
        best=int(np.argmax(solve @ chosen[mine])),
    )


def _p_value(effect: _Effect, runs: Ints) -> float:
    """Of the F test that all values are alike; NaN where there are too few repeats to tell."""
    from scipy.special import fdtrc

    if effect.degrees <= 0 or np.median(runs) < LEAST_REPEATS:
        return math.nan
    freedom = len(effect.value) - 1
    size = float(effect.effect @ np.linalg.pinv(effect.covariance, hermitian=True) @ effect.effect)
    return float(fdtrc(freedom, effect.degrees, size / freedom)) if effect.pair_variance else float(not effect.range)


def _least_p(data: StudyFrame, axis: str) -> float:
    """Where cells are too few to lend to one another: the surest of those that differ from the centre in the axis."""
    table = cells(data)
    return float(table.loc[table["varied"] == axis, "p adjusted"].min())


def _verdict(effect: _Effect, p: float, repeatability: float, seeds: int) -> tuple[str, str]:
    """See `statistics.verdicts` and `statistics.needs`; of the range of the axis instead of one difference."""
    from scipy.special import ndtri

    if p < SIGNIFICANT:
        return MATTERS, ""
    spread = effect.pair_variance
    if math.isnan(p):
        return NEEDS_REPEATS, f"{LEAST_REPEATS} seeds"
    if effect.range + float(quantile(np.array(effect.degrees))) * math.sqrt(spread) <= repeatability:
        return WITHIN_NOISE, ""
    pairs = len(effect.value) * (len(effect.value) - 1) / 2
    wanted = (effect.range / -float(ndtri((1 - CONFIDENCE) / 2 / pairs))) ** 2
    return NEEDS_REPEATS, what_lowers(spread, effect.by_annotator * spread, seeds, wanted)


@lru_cache(maxsize=128)
def expected_range(count: int) -> float:
    """Of so many independent normal values of standard deviation 1: 1.13 of two, 1.69 of three, 2.06 of four."""
    from scipy.special import ndtr

    z = np.linspace(-10, 10, 4001)
    below = ndtr(z)
    return float(np.trapezoid(1 - below**count - (1 - below) ** count, z))
