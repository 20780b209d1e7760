"""Main effects of a grid: what each value of an axis adds to mean mAP, between cells that differ in no other axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from tal_search.results.cell_table import cells, numbered, repeats
from tal_search.results.noise import noise
from tal_search.results.ranking import selected_by
from tal_search.results.statistics import HIGH, LOW, means, repeat_columns, runs_of, seeds_needed, verdicts
from tal_search.results.trials import StudyFrame, equal
from tal_search.results.uncertainty.contrasts import LEAST_REPEATS, Contrasts, Spread, judged, untested
from tal_search.results.uncertainty.model import Model, modelled
from tal_search.results.uncertainty.subjects import combined, covariance, drawn_scores, group_means, shares_fits
from tal_search.types import Floats, Ints


class CellMeans(NamedTuple):
    """Mean of each cell [C], without the effects of repeats; its variance, and the part of it that more seeds do not
    reduce; degrees of freedom of the common and of the cell's own variance; known: whether the variance is known.
    over_subjects: covariance [C, C] over the subjects of folds, with its degrees of freedom; None without folds.
    """

    mean: Floats
    variance: Floats
    by_annotator: Floats
    common_degrees: Floats
    own_degrees: Floats
    known: bool
    over_subjects: tuple[Floats, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Effect:
    """value [V]: an axis' values in order, with their effects on mean mAP and the covariance of these.

    degrees: of freedom of the covariance; by_annotator: the share of it that more seeds do not reduce; chosen: the
    effects on the score that selects cells.
    """

    value: list[object]
    effect: Floats
    covariance: Floats
    degrees: float
    by_annotator: float
    chosen: Floats


def main_effects(data: StudyFrame) -> list[pd.DataFrame]:
    """One table per axis, see `axis_effects.value_effects`; all values of all axes are tested as one family."""
    numbering, trials = numbered(data)
    done = repeats(trials).dropna(subset=data.score)
    if done.empty:
        return []
    code_N, numbers = pd.factorize(done["cell"])
    rows, runs = numbering.loc[numbers].reset_index(drop=True), runs_of(done[data.score], code_N, done)
    centre = next(iter(np.flatnonzero(rows["centre"])), -1)
    modelled_means = cell_means(modelled(runs, int(centre), "new annotators"))
    if (drawn := drawn_scores(done, data.score)) is not None:
        modelled_means = modelled_means._replace(over_subjects=covariance(group_means(drawn[0], code_N), drawn[1]))
    chosen = cells(data).loc[numbers, selected_by(data)].to_numpy(np.float64)
    effects = {axis: axis_effect(rows, list(data.axes), axis, modelled_means, chosen) for axis in data.axes}
    known = {axis: effect for axis, effect in effects.items() if effect is not None}
    if not known:
        return []
    tables = [_values(data, axis, effect, done) for axis, effect in known.items()]
    return _judged(data, tables, known, runs.present.sum(1), int(runs.of_seed.shape[1]))


def _values(data: StudyFrame, axis: str, effect: Effect, done: pd.DataFrame) -> pd.DataFrame:
    """An axis' values with their means over repeats, of each repeat's mean over blocks."""
    value = pd.Series(effect.value, dtype=object)
    place = pd.Series(-1, index=done.index)
    for number, missing in enumerate(value.isna()):
        place[equal(done[axis], None if missing else effect.value[number])] = number
    rows = done.assign(place=place)[place >= 0]
    each = rows.groupby(["place", "seed", "annotator"])[data.score].mean().reset_index()
    if data.subjects:
        each = rows
    averaged = means(each[[data.score]], each["place"], repeat_columns(each), (data.score,)).sort_index()
    averaged = averaged.rename(columns={data.score + ending: "mean" + ending for ending in ("", LOW, HIGH)})
    return averaged.reset_index(drop=True).assign(axis=axis, value=value, centre=equal(value, data.centre[axis]))


def _judged(
    data: StudyFrame, tables: list[pd.DataFrame], effects: dict[str, Effect], runs: Ints, seeds: int
) -> list[pd.DataFrame]:
    """The tables with differences to the centre's values and verdicts."""
    deltas, spreads, least = [], [], 1 if data.subjects else LEAST_REPEATS
    for table, effect in zip(tables, effects.values(), strict=True):
        at = table["centre"].to_numpy(np.float64)
        reference = at if at.any() else np.full(len(at), 1 / len(at))
        to_difference = np.eye(len(at)) - reference
        variance = np.einsum("vi,ij,vj->v", to_difference, effect.covariance, to_difference)
        with np.errstate(divide="ignore", invalid="ignore"):
            shared = np.nan_to_num(reference @ effect.covariance @ reference / variance, nan=0.5)
        deltas.append(to_difference @ effect.effect)
        degrees = np.where(at > 0, 0.0, effect.degrees if least <= np.median(runs) else 0.0)
        spreads.append(Spread(variance, degrees, effect.by_annotator * variance, np.clip(shared, 0, 1)))
    spread = Spread(*(np.concatenate(column) for column in zip(*spreads, strict=True)))
    pairs = np.concatenate([table["n"].to_numpy() for table in tables])
    contrast = judged(np.concatenate(deltas), pairs, spread)
    if shares_fits(data.done) and seeds < LEAST_REPEATS:
        contrast = untested(contrast)
    return _with_verdicts(data, tables, effects, contrast, seeds)


def _with_verdicts(
    data: StudyFrame, tables: list[pd.DataFrame], effects: dict[str, Effect], contrast: Contrasts, seeds: int
) -> list[pd.DataFrame]:
    limit = noise(data)
    seen, within = seeds_needed(contrast, seeds, limit)
    columns = pd.DataFrame({
        "delta": contrast.delta, "delta" + LOW: contrast.low, "delta" + HIGH: contrast.high, "p": contrast.p,
        "p adjusted": contrast.adjusted, "verdict": verdicts(contrast, limit), "seen": seen, "within": within,
        "chosen by": np.concatenate([effect.chosen for effect in effects.values()]),
    })  # fmt: skip
    whole = pd.concat([pd.concat(tables, ignore_index=True), columns], axis=1)
    whole["verdict"] = whole["verdict"].mask(whole["centre"].astype(bool), "centre")
    return [table for _, table in whole.groupby("axis", sort=False)]


def cell_means(model: Model) -> CellMeans:
    """The means of a study's cells with their variances, for tests."""
    present = model.runs.present
    share, ratio = present / np.maximum(present.sum(1), 1)[:, None], model.noisy.ratio
    weights = model.weights(share, model.runs.single)
    return CellMeans(
        mean=model.mean, variance=model.variance(weights, ratio), by_annotator=model.by_annotator(weights, ratio),
        common_degrees=model.common_degrees(weights), own_degrees=model.noisy.degrees, known=model.degrees > 0,
    )  # fmt: skip


def axis_effect(rows: pd.DataFrame, axes: list[str], axis: str, means: CellMeans, chosen: Floats) -> Effect | None:
    """Least squares of the cells' means on an axis' values and blocks; None if no block has two values.

    rows: the cells with the axes as columns; chosen [C]: each cell's score that selects cells.
    """
    block = blocks(rows, [name for name in axes if name != axis])
    several = rows[axis].groupby(block).transform("nunique", dropna=False) > 1
    mine = np.flatnonzero(several & np.isfinite(chosen) & np.isfinite(means.mean))
    place, values = ordered(rows[axis].iloc[mine])
    if len(values) < 2:
        return None
    design = pd.DataFrame(np.eye(len(values))[place])
    within = (design - design.groupby(block[mine]).transform("mean")).to_numpy()
    solve = np.linalg.pinv(within.T @ within) @ within.T
    variance, fixed = means.variance[mine], means.by_annotator[mine]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.nan_to_num((variance**2 / means.own_degrees[mine]).sum() / variance.sum() ** 2)
        degrees = 1 / (1 / means.common_degrees[mine].mean() + own) if means.known else 0.0
    covariance_VV, by_annotator = (solve * variance) @ solve.T, fixed.sum() / variance.sum() if variance.sum() else 0.0
    if means.over_subjects is not None:
        of_subjects = solve @ means.over_subjects[0][np.ix_(mine, mine)] @ solve.T
        covariance_VV = covariance_VV if degrees else np.zeros_like(covariance_VV)
        parts = np.array([np.trace(of_subjects)]), np.array([np.trace(covariance_VV)])
        whole, degrees_1 = combined(parts[0], means.over_subjects[1], parts[1], np.array([float(degrees)]))
        by_annotator = (parts[0][0] + by_annotator * parts[1][0]) / whole[0] if whole[0] > 0 else 1.0
        covariance_VV, degrees = covariance_VV + of_subjects, degrees_1[0]
    return Effect(
        value=values, effect=solve @ means.mean[mine], covariance=covariance_VV, degrees=float(degrees),
        by_annotator=float(by_annotator), chosen=solve @ chosen[mine],
    )  # fmt: skip


def blocks(rows: pd.DataFrame, axes: list[str]) -> Ints:
    """The block of each cell: cells with the same values of `axes`."""
    if not axes:
        return np.zeros(len(rows), np.int64)
    return rows[axes].astype(object).groupby(axes, sort=False, dropna=False).ngroup().to_numpy().astype(np.int64)


def ordered(column: pd.Series) -> tuple[Ints, list[object]]:
    """The index of each cell's value among the values of an axis; numbers are sorted, others in order of appearance."""
    code_N, values = pd.factorize(column, use_na_sentinel=False)
    order = np.argsort(values) if values.dtype.kind in "if" else np.arange(len(values))
    place_N: Ints = np.argsort(order)[code_N].astype(np.int64)
    return place_N, [values[place] for place in order]
