"""The table of a study's cells: means over repeats with intervals, and differences to the centre with verdicts.

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
    and `annotation_seconds` over them; `n` finished repeats, and each of `measures` over those; all as means with their
    95 % interval (name + LOW, name + HIGH); and those of `paired`. mAP in percent; NaN where there is none.
    """
    found, trials = numbered(data)
    done = repeats(trials)
    repeated = ["seed", "annotator"]
    asked = means(trials[["annotation_seconds"]], trials["cell"], trials[repeated], ()).reindex(found.index)
    averaged = means(done[measures(data)], done["cell"], done[repeated], percents(data)).reindex(found.index)
    averaged = averaged.assign(n=averaged["n"].fillna(0).astype(int))
    asked = asked.rename(columns={"n": "trials"})
    return pd.concat([found, asked, averaged, paired(found, done, data.score)], axis=1)


def objective_differences(data: StudyFrame) -> pd.DataFrame:
    """`paired` by what a study selects by: held-out training videos where a trial has any, else the test split."""
    found, trials = numbered(data)
    done = repeats(trials)
    return paired(found, done.assign(objective=done["holdout"].fillna(done[data.score])), "objective")


def measures(data: StudyFrame) -> list[str]:
    """What is averaged over the finished repeats of a cell."""
    return [*percents(data), "parameters", "seconds"]


def percents(data: StudyFrame) -> list[str]:
    """Those of them that are percent."""
    return [*(f"mAP@{tiou:g}" for tiou in data.tiou), "average", "holdout", "leaky"]


def numbered(data: StudyFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells by number, with `centre` and `varied`; and the trials, each with the number of its `cell`.

    Trials in an order of their own, by what their cells are: no digit depends on which was asked for or ended first.
    """
    axes, repeat = list(data.axes), ["seed", "annotator"]
    if not axes:
        trials = data.trials.sort_values(repeat, kind="stable")
        return pd.DataFrame({"centre": [True], "varied": [""]}), trials.assign(cell=0)
    found = data.trials[axes].drop_duplicates(ignore_index=True)
    off = pd.DataFrame({axis: ~equal(found[axis], data.centre[axis]) for axis in axes}, index=found.index)
    varied = np.where(off.sum(axis=1) == 1, off.idxmax(axis=1), "")
    found = found.assign(centre=~off.any(axis=1), varied=varied)
    trials = data.trials.merge(found[axes].assign(cell=found.index), on=axes)
    place = {number: place for place, number in enumerate(found[axes].astype(str).sort_values(axes).index)}
    order = trials[repeat].assign(place=trials["cell"].map(place)).sort_values(["place", *repeat], kind="stable").index
    return found, trials.loc[order]


def repeats(trials: pd.DataFrame) -> pd.DataFrame:
    """The finished trials."""
    return trials[trials["state"] == "done"]


def paired(found: pd.DataFrame, done: pd.DataFrame, score: str) -> pd.DataFrame:
    """For every cell `statistics.differences` of `score` to the centre, over all cells of the study at once.

    The verdict is "centre" at the centre, and "needs repeats" of a cell that has no finished trial.
    """
    code_N, numbers = pd.factorize(done["cell"])
    centre = found.index[found["centre"]]
    place = next((index for index, number in enumerate(numbers) if number in centre), None)
    table = differences(done.assign(cell=code_N), score, place)
    table = table.set_axis(numbers).reindex(found.index)
    table["pairs"] = table["pairs"].fillna(0).astype(int)
    table["needs"] = table["needs"].fillna("").mask(found["centre"], "")
    table["verdict"] = table["verdict"].fillna("needs repeats").mask(found["centre"], "centre")
    return table


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
