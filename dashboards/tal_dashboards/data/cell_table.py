"""Statistics of a study's cells: means over repeats with intervals, paired differences to the centre, verdicts.

The statistics are those of `tal_search.results.statistics`, for ten thousand cells at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from tal_dashboards.data.study_data import StudyData, equal
from tal_dashboards.style import WITHIN, value
from tal_search.results.published import paper_cell, published_systems
from tal_search.results.statistics import Difference, half_width, p_value, repeatability, verdicts
from tal_search.types import INFERENCE


@lru_cache(maxsize=4)
def cells(data: StudyData) -> pd.DataFrame:
    """One row a cell with a trial, the centre first, else in order of their first trial. Do not write to it.

    Columns: the axes, `centre`, `varied` (the one axis that is off the centre, else ""), `n` finished repeats; mean and
    half its 95 % interval (name + WITHIN) of each of `measures`; `delta` with its interval, `pairs` and `p`: the paired
    difference of `data.score` to the centre. mAP in percent; NaN where there is none.
    """
    axes = list(data.axes)
    found = data.trials[axes].drop_duplicates(ignore_index=True)
    at = pd.DataFrame({axis: equal(found[axis], data.centre[axis]) for axis in axes}, index=found.index)
    found = found.assign(centre=at.all(axis=1), varied=np.where((~at).sum(axis=1) == 1, (~at).idxmax(axis=1), ""))
    found = found.sort_values("centre", ascending=False, kind="stable", ignore_index=True).assign(
        cell=range(len(found))
    )
    trials = data.done.merge(found[[*axes, "cell"]], on=axes)
    return _with_differences(data, _with_means(found, trials, measures(data)), trials).drop(columns="cell")


def measures(data: StudyData) -> list[str]:
    """What is averaged over the repeats of a cell."""
    scores = [f"mAP@{tiou:g}" for tiou in data.tiou]
    return [*scores, "average", "holdout", "leaky", "annotation_seconds", "parameters", "seconds"]


def _with_means(found: pd.DataFrame, trials: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    groups = trials.groupby("cell")[names]
    mean, count, deviation = (table.reindex(found["cell"]) for table in (groups.mean(), groups.count(), groups.std()))
    columns: dict[str, Any] = {"n": trials.groupby("cell").size().reindex(found["cell"], fill_value=0).to_numpy()}
    for name in names:
        columns[name] = mean[name].to_numpy()
        columns[name + WITHIN] = half_width(deviation[name].to_numpy(), count[name].to_numpy())
    return found.assign(**columns)


def _with_differences(data: StudyData, found: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Paired with the centre by seed and annotator; by seed, annotators averaged, where they share no annotator."""
    score = data.score
    at_centre = trials["cell"].isin(found.loc[found["centre"], "cell"])
    centre, others = trials[at_centre], trials[~at_centre]
    shared = others["annotator"].isin(centre["annotator"]).groupby(others["cell"]).transform("any").astype(bool)
    whole = others[shared].merge(centre, on=["seed", "annotator"], suffixes=("", " centre"))
    by_seed = others[~shared].groupby(["cell", "seed"], as_index=False)[score].mean()
    by_seed = by_seed.merge(centre.groupby("seed", as_index=False)[score].mean(), on="seed", suffixes=("", " centre"))
    pairs = pd.concat([whole, by_seed])
    groups = (pairs[score] - pairs[f"{score} centre"]).groupby(pairs["cell"])
    n = groups.count().reindex(found["cell"], fill_value=0).to_numpy()
    mean, deviation = (part.reindex(found["cell"]).to_numpy(float) for part in (groups.mean(), groups.std()))
    within = half_width(deviation, n)
    return found.assign(**{"delta": mean, f"delta{WITHIN}": within, "pairs": n, "p": p_value(mean, deviation, n)})


def judged(data: StudyData, table: pd.DataFrame) -> list[str]:
    """A verdict for each row of one table of cells, the family of Holm's correction; "centre" at the centre."""
    rows = table[~table["centre"]]
    names = ("pairs", "delta", f"delta{WITHIN}", "p")
    differences = [_difference(*values) for values in zip(*(rows[name].tolist() for name in names), strict=True)]
    said = iter(verdicts(differences, noise(data)))
    return ["centre" if centre else next(said) for centre in table["centre"]]


def _difference(n: int, mean: float, within: float, p: float) -> Difference:
    half = math.inf if n == 1 else within
    return Difference(int(n), mean, mean - half, mean + half, p)


def noise(data: StudyData) -> float:
    """The centre's repeatability at `data.score`, in points of mAP; NaN with fewer than two repeats."""
    done = data.done
    return repeatability(done.loc[data.is_centre(done), data.score].tolist())


def published(data: StudyData, cell: dict[str, Any]) -> tuple[dict[str, float], str]:
    """The paper's mAP of a cell by tIoU or range, in percent, and its source; empty where it has none."""
    if data.plan == "cases":
        system = published_systems(data.dataset).get(data.cases.get(str(cell["case"])) or "")
        return (dict(system.mAP), system.source) if system else ({}, "")
    scored = {name.removeprefix(INFERENCE): one for name, one in cell.items() if name.startswith(INFERENCE)}
    if {**data.inference, **scored} != data.fit_inference:
        return {}, ""
    settings = {**data.hyperparameters, **{name: one for name, one in cell.items() if not name.startswith(INFERENCE)}}
    found = paper_cell(data.method, data.dataset, settings, data.axes)
    return ({found.tiou: found.mAP}, found.source) if found else ({}, "")


def names_of(data: StudyData, found: pd.DataFrame) -> list[str]:
    """Each cell by what is off the centre, "centre", or the name of its case."""
    if data.plan == "cases":
        return [str(name) for name in found["case"]]
    rows = records(found, list(data.axes))
    changed = ([f"{axis}={value(one)}" for axis, one in row.items() if one != data.centre[axis]] for row in rows)
    return [" ".join(words) or "centre" for words in changed]


def records(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as plain values by column name."""
    return [dict(zip(columns, row, strict=True)) for row in table[list(columns)].astype(object).itertuples(index=False)]
