"""Pools the folds of a repeat: one row per cell, seed and annotator, scored once from the detections of all folds.

A mean of the folds' mAPs is no mAP of the dataset: each fold has few instances, and some classes none. docs/adr/0031.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tal_search.results.statistics import CORRECTED, HIGH, LOW, SAMPLED, SPREAD, means
from tal_search.results.trials import StudyFrame, averaged, score_columns
from tal_search.results.uncertainty import subjects as bootstrap
from tal_search.results.uncertainty.contrasts import Family
from tal_search.results.uncertainty.subjects import Draws
from tal_search.text.words import counted
from tal_search.types import Ints, JointScores

# Over the folds of a repeat; other columns are those of the first fold.
SUMMED = ("detections", "seconds", "scoring_seconds")
AVERAGED = ("annotation_seconds", "annotation_total", "parameters")
HELD_OUT = (
    " Scores on held-out training videos, which choose the best cell, are means over the folds of a repeat, with "
    "intervals over seeds."
)
COSTS = " Annotation costs are those of the videos that a fit trains on, means over the folds."
MISSING = "folds missing"  # ends the state of a repeat without a score
FILES = "files of"  # begins it where all folds are finished
ENDS = {"mean": "", "low": LOW, "high": HIGH}
LEAST, MOST = ("number", "started", "epoch", "cached"), ("ended",)


Frame = TypeVar("Frame", bound=StudyFrame)
# The scores of the pooled detections of trials, given by id, one per fold; None if they cannot be read.
Scorer = Callable[[tuple[str, ...]], JointScores | None]


def pooled(rows: pd.DataFrame, axes: Sequence[str], folds: int, score: Scorer) -> pd.DataFrame:
    """One row per cell, seed and annotator, from the rows of its folds, which have a column `fold`.

    Scores and `draws` (see `uncertainty.subjects`) are those of the pooled detections; `holdout` is the mean over
    folds, and there is no `leaky`. `key` and `id` are those of the first fold, `ids` those of all. Where folds are
    missing or their files damaged there is no score, and `state` says how many: "2 of 30 folds missing";
    "files of 30 folds missing" where all are finished.
    """
    if rows.empty:
        return rows.assign(**{bootstrap.COLUMN: pd.Series(dtype=object)})
    names = [*axes, "seed", "annotator"]
    group_N = rows[names].astype(object).groupby(names, dropna=False, sort=False).ngroup().to_numpy()
    whole = [_whole(rows.iloc[places], folds, score) for places in _in_order(group_N.astype(np.int64))]
    table = pd.DataFrame(whole).drop(columns="fold")
    same = {name: kind for name, kind in rows.dtypes.items() if name in axes}  # None and numbers stay what they were
    return table.astype(same)


def with_pooled_folds(data: Frame, score: Scorer) -> Frame:
    """The study with one row per repeat, if its trials are folds; they stay in `single`. score: see `Scorer`."""
    if not data.folds:
        return data
    whole = pooled(data.trials, list(data.axes), data.folds["of"], score)
    return replace(data, trials=whole, single=data.trials)


def _in_order(code_N: Ints) -> list[Ints]:
    """Rows of each group, in order of first rows."""
    order = np.argsort(code_N, kind="stable")
    return np.split(order, np.searchsorted(code_N[order], np.arange(1, int(code_N.max()) + 1)))


def _whole(rows: pd.DataFrame, folds: int, score: Scorer) -> dict[Hashable, Any]:
    rows = rows.sort_values("fold", kind="stable")
    done = rows[rows["state"] == "done"].drop_duplicates("fold", keep="last")
    whole: dict[Hashable, Any] = {**rows.iloc[0].to_dict(), bootstrap.COLUMN: None, "ids": ()}
    whole |= {name: np.nan for name in rows if _is_score(str(name))}
    part = done if len(done) else rows
    for names, function in ((SUMMED, "sum"), (AVERAGED, "mean"), (LEAST, "min"), (MOST, "max")):
        whole |= {name: part[name].agg(function) for name in names if name in rows}
    whole["reason"] = next((reason for reason in rows["reason"] if reason), "")
    missing = folds - len(done)
    found = None if missing else score(tuple(done["id"]))
    if found is None:
        return whole | {"state": f"{missing} of {folds} {MISSING}" if missing else f"{FILES} {folds} {MISSING}"}
    held = done["holdout"].mean() if "holdout" in done else np.nan
    whole["ids"] = tuple(done["id"])
    return whole | {"state": "done", **_columns(found, folds), "holdout": held, "reason": found.note}


def _columns(found: JointScores, folds: int) -> dict[str, Any]:
    """Columns of a frame of trials, in percent."""
    nothing = np.full((1, len(found.tiou)), np.nan)
    values = score_columns(found.tiou, found.mAP[None], nothing, nothing[:, 0])
    draws = Draws(
        mAP=100 * found.drawn.astype(np.float64), tiou=found.tiou, averaged=averaged(found.tiou),
        subjects=found.subjects, folds=folds,
    )  # fmt: skip
    return {**{name: float(value[0]) for name, value in values.items()}, bootstrap.COLUMN: draws}


def with_intervals(found: JointScores, folds: int) -> pd.DataFrame:
    """One row per score of one run, `mean`, `low` and `high` in percent, as in a study's tables; NaN if unknown."""
    columns = _columns(found, folds)
    repeats = pd.DataFrame({"seed": [0], "annotator": [""], bootstrap.COLUMN: [columns.pop(bootstrap.COLUMN)]})
    names = [name for name in columns if name not in ("holdout", "leaky")]
    row = means(pd.DataFrame({name: [columns[name]] for name in names}), pd.Series([0]), repeats, names).iloc[0]
    table = {end: [float(row[name + suffix]) for name in names] for end, suffix in ENDS.items()}
    return pd.DataFrame(table, index=pd.Index(names))


def as_fractions(intervals: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of `with_intervals` for JSON, as fractions; None where unknown."""
    rows = zip(intervals.index, intervals.to_numpy() / 100, strict=True)
    names = [str(name) for name in intervals]
    return [
        {
            "score": name,
            **{key: value if np.isfinite(value) else None for key, value in zip(names, row.tolist(), strict=True)},
        }
        for name, row in rows
    ]


def _is_score(name: str) -> bool:
    return name.startswith("mAP@") or name in ("average", "holdout", "leaky")


def folds_json(data: StudyFrame) -> dict[str, str]:
    """What `overview.json` says of folds: {"folds": a sentence}; empty without folds."""
    return {"folds": note} if (note := folds_note(data)) else {}


def folds_note(data: StudyFrame) -> str:
    """A note above every table of a study with folds: how it is scored, and which repeats have no score; else ""."""
    if not data.folds:
        return ""
    note = f"The detections of {data.folds['of']} folds are pooled and scored once; {bootstrap.words(data.subjects)}."
    note += COSTS
    note += HELD_OUT if data.trials["holdout"].notna().any() else ""
    lacking = data.trials[data.trials["state"].astype(str).str.endswith(MISSING)]
    if lacking.empty:
        return note
    states = ", ".join(f"{count} with {state}" for state, count in lacking["state"].value_counts().head(3).items())
    of = counted(len(data.trials), "repeat")
    fix = "; the same `run` command makes their files again" if FILES in states else ""
    return f"{note} {len(lacking)} of {of} without a score, as folds are missing ({states}){fix}."


def interval_words(count: int) -> str:
    """The intervals of a study whose folds test so many subjects, in words."""
    return bootstrap.words(count)


def method_of(count: int, family: Family = "one centre") -> str:
    """The method of intervals and verdicts in words; count: of the subjects of folds, 0 without folds."""
    spread = f"{bootstrap.words(count)}, paired over cells;" if count else f"{SAMPLED},"
    return f"{spread} {CORRECTED[family]}"


def spread_of(count: int) -> str:
    """What follows a mean in tables; count: see `method_of`."""
    return f"{SPREAD} ({bootstrap.words(count)})" if count else SPREAD
