"""The table of a study's cells: means over repeats with intervals, and differences to the centre with verdicts.

Vectorised, as a study may have ten thousand cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from tal_search.results.published import NOTHING, SELECTIONS, Published, paper_cell
from tal_search.results.statistics import differences, means, repeat_columns
from tal_search.results.trials import StudyFrame, equal
from tal_search.results.uncertainty.contrasts import Family
from tal_search.types import INFERENCE, SUPERVISION

COSTS = ["annotation_seconds", "annotation_total"]


@lru_cache(maxsize=4)
def cells(data: StudyFrame) -> pd.DataFrame:
    """One row per cell with a trial, in order of first trials. The table is cached: do not modify it.

    Columns: the axes, `centre`, `varied` (the axis that is off the centre if there is exactly one, else ""), `trials`
    (finished or not) and their mean `annotation_seconds` and `annotation_total`; `n` finished repeats and the mean of
    each of `measures` over them, every mean with its 95 % interval (name + LOW, name + HIGH); and those of `paired`.
    mAP in percent; NaN if unknown.
    """
    numbers, trials = numbered(data)
    done = repeats(trials)
    costs = trials.reindex(columns=COSTS)
    annotated = means(costs, trials["cell"], trials[["seed", "annotator"]], ()).reindex(numbers.index)
    averaged = means(done[measures(data)], done["cell"], repeat_columns(done), percents(data))
    averaged = averaged.reindex(numbers.index)
    averaged = averaged.assign(n=averaged["n"].fillna(0).astype(int))
    annotated = annotated.rename(columns={"n": "trials"})
    return pd.concat([numbers, annotated, averaged, paired(numbers, done, data.score)], axis=1)


def objective_differences(data: StudyFrame) -> pd.DataFrame:
    """`paired` for the objective: mAP on held-out training videos if a trial has any, else on the test split."""
    numbers, trials = numbered(data)
    done = repeats(trials)
    if done["holdout"].isna().all():
        return paired(numbers, done, data.score)
    return paired(numbers, done.assign(objective=done["holdout"].fillna(done[data.score])), "objective")


def measures(data: StudyFrame) -> list[str]:
    """The columns averaged over the finished repeats of a cell."""
    return [*percents(data), "parameters", "seconds"]


def percents(data: StudyFrame) -> list[str]:
    """The measures in percent."""
    return [*(f"mAP@{tiou:g}" for tiou in data.tiou), "average", "holdout", "leaky"]


def numbered(data: StudyFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells by number, with `centre` and `varied`; and the trials, each with the number of its `cell`.

    Trials are sorted by their cells' values, so that no digit depends on the order in which they were run.
    """
    axes, repeat = list(data.axes), ["seed", "annotator"]
    if not axes:
        trials = data.trials.sort_values(repeat, kind="stable")
        return pd.DataFrame({"centre": [True], "varied": [""]}), trials.assign(cell=0)
    numbering = data.trials[axes].drop_duplicates(ignore_index=True)
    off = pd.DataFrame({axis: ~equal(numbering[axis], data.centre[axis]) for axis in axes}, index=numbering.index)
    varied = np.where(off.sum(axis=1) == 1, off.idxmax(axis=1), "")
    numbering = numbering.assign(centre=~off.any(axis=1), varied=varied)
    trials = data.trials.merge(numbering[axes].assign(cell=numbering.index), on=axes)
    place = {number: place for place, number in enumerate(numbering[axes].astype(str).sort_values(axes).index)}
    order = trials[repeat].assign(place=trials["cell"].map(place)).sort_values(["place", *repeat], kind="stable").index
    return numbering, trials.loc[order]


def repeats(trials: pd.DataFrame) -> pd.DataFrame:
    """The finished trials."""
    return trials[trials["state"] == "done"]


def paired(numbering: pd.DataFrame, done: pd.DataFrame, score: str, family: Family = "one centre") -> pd.DataFrame:
    """`statistics.differences` of every cell's `score` to the centre, over all cells of the study at once.

    The verdict is "centre" at the centre, and "needs repeats" for a cell without a finished trial.
    """
    code_N, numbers = pd.factorize(done["cell"])
    centre = numbering.index[numbering["centre"]]
    place = next((index for index, number in enumerate(numbers) if number in centre), None)
    table = differences(done.assign(cell=code_N), score, place, family=family)
    table = table.set_axis(numbers).reindex(numbering.index)
    table["pairs"] = table["pairs"].fillna(0).astype(int)
    table["needs"] = table["needs"].fillna("").mask(numbering["centre"], "")
    table["verdict"] = table["verdict"].fillna("needs repeats").mask(numbering["centre"], "centre")
    return table


def published(data: StudyFrame, cell: Mapping[str, object]) -> Published:
    """The published numbers of a cell.

    Only with all supervision, if every published hyperparameter is at the paper's operating point and inference is at
    the preset's settings.
    """
    if data.plan == "cases":
        system = data.published.get(data.cases.get(str(cell["case"])) or "")
        return Published(dict(system.mAP), system.source, SELECTIONS[system.selection]) if system else NOTHING
    inference = {name.removeprefix(INFERENCE): value for name, value in cell.items() if name.startswith(INFERENCE)}
    budgets = {name: value for name, value in cell.items() if name.startswith(SUPERVISION)}
    if {**data.inference, **inference} != data.fit_inference or any(
        share != 1 for share in {**data.shares, **budgets}.values()
    ):
        return NOTHING
    trained = {name: value for name, value in cell.items() if not name.startswith(INFERENCE)}
    paper = paper_cell(data.method, data.dataset, {**data.hyperparameters, **trained}, data.axes)
    return Published({paper.tiou: paper.mAP}, paper.source, paper.selection) if paper else NOTHING


def records(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Rows as dictionaries by column name."""
    return [dict(zip(columns, row, strict=True)) for row in table[list(columns)].astype(object).itertuples(index=False)]
