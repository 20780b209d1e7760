"""The table of a study's cells: means over repeats with intervals, and paired differences to the centre.

Two cells are compared over the repeats (seed and annotator) that both have, so what a repeat adds to both drops out.
Vectorised: a study may have ten thousand cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from tal_search.results.published import NOTHING, Published, paper_cell, published_systems
from tal_search.results.statistics import differences, means
from tal_search.results.trials import StudyFrame, equal
from tal_search.types import INFERENCE


@lru_cache(maxsize=4)
def cells(data: StudyFrame) -> pd.DataFrame:
    """One row a cell with a trial, in order of their first trials. Do not write to it.

    Columns: the axes, `centre`, `varied` (the one axis that is off the centre, else ""), `trials`, finished or not,
    and `annotation_seconds` over them; `n` finished repeats, and each of `measures` over those; all as means with half
    their 95 % interval (name + WITHIN); and those of `paired`. mAP in percent; NaN where there is none.
    """
    found, trials = numbered(data)
    done = repeats(trials)
    asked = means(trials[["annotation_seconds"]], trials["cell"]).rename(columns={"n": "trials"})
    averaged = means(done[measures(data)], done["cell"]).reindex(found.index)
    averaged = averaged.assign(n=averaged["n"].fillna(0).astype(int))
    return pd.concat([found, asked, averaged, paired(found, done, data.score)], axis=1)


def objective_differences(data: StudyFrame) -> pd.DataFrame:
    """`paired` by what a study selects by: held-out training videos where a trial has any, else the test split."""
    found, trials = numbered(data)
    done = repeats(trials)
    return paired(found, done.assign(objective=done["holdout"].fillna(done[data.score])), "objective")


def measures(data: StudyFrame) -> list[str]:
    """What is averaged over the finished repeats of a cell."""
    return [*(f"mAP@{tiou:g}" for tiou in data.tiou), "average", "holdout", "leaky", "parameters", "seconds"]


def numbered(data: StudyFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells by number, with `centre` and `varied`; and the trials, each with the number of its `cell`."""
    axes = list(data.axes)
    if not axes:
        return pd.DataFrame({"centre": [True], "varied": [""]}), data.trials.assign(cell=0)
    found = data.trials[axes].drop_duplicates(ignore_index=True)
    off = pd.DataFrame({axis: ~equal(found[axis], data.centre[axis]) for axis in axes}, index=found.index)
    varied = np.where(off.sum(axis=1) == 1, off.idxmax(axis=1), "")
    found = found.assign(centre=~off.any(axis=1), varied=varied)
    return found, data.trials.merge(found[axes].assign(cell=found.index), on=axes)


def repeats(trials: pd.DataFrame) -> pd.DataFrame:
    """The finished trials, in an order of their own: no digit depends on which ended first."""
    return trials[trials["state"] == "done"].sort_values(["cell", "seed", "annotator"], kind="stable")


def paired(found: pd.DataFrame, done: pd.DataFrame, score: str) -> pd.DataFrame:
    """For every cell: `delta`, its mean difference of `score` to the centre, and the rest of `differences`.

    Paired by seed and annotator; by seed, annotators averaged, where they share no annotator (a cell that reads no
    clicks has none). The centre's own is 0.
    """
    centre = done[done["cell"].isin(found.index[found["centre"]])]
    shared = done["annotator"].isin(centre["annotator"]).groupby(done["cell"]).transform("any").astype(bool)
    whole = done[shared].merge(centre, on=["seed", "annotator"], suffixes=("", " centre"))
    by_seed = done[~shared].groupby(["cell", "seed"], as_index=False)[score].mean()
    by_seed = by_seed.merge(centre.groupby("seed", as_index=False)[score].mean(), on="seed", suffixes=("", " centre"))
    pairs = pd.concat([whole, by_seed])
    table = differences(pairs[score] - pairs[f"{score} centre"], pairs["cell"]).reindex(found.index)
    return table.assign(pairs=table["pairs"].fillna(0).astype(int))


def published(data: StudyFrame, cell: dict[str, Any]) -> Published:
    """What the paper says of a cell.

    Only where every published hyperparameter is at the paper's operating point, at the preset's inference settings.
    """
    if data.plan == "cases":
        system = published_systems(data.dataset).get(data.cases.get(str(cell["case"])) or "")
        return Published(dict(system.mAP), system.source, system.selection) if system else NOTHING
    scored = {name.removeprefix(INFERENCE): one for name, one in cell.items() if name.startswith(INFERENCE)}
    if {**data.inference, **scored} != data.fit_inference:
        return NOTHING
    settings = {**data.hyperparameters, **{name: one for name, one in cell.items() if not name.startswith(INFERENCE)}}
    found = paper_cell(data.method, data.dataset, settings, data.axes)
    return Published({found.tiou: found.mAP}, found.source, found.selection) if found else NOTHING


def records(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as plain values by column name."""
    return [dict(zip(columns, row, strict=True)) for row in table[list(columns)].astype(object).itertuples(index=False)]
