"""Choice of a fit of a study: the default, the options of the dropdown, and their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from dash import html

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.data.study_data import Selection, StudyData
from tal_search.results.cell_table import numbered, repeats
from tal_search.results.ranking import best_first
from tal_search.trial.folder import TrialFolder
from tal_search.types import CASE, INFERENCE, NO_ANNOTATOR

MOST_OFFERED = 200  # options of the dropdown


def chosen_fit(data: StudyData, selection: Selection, file: Callable[[TrialFolder], Path]) -> str | None:
    """The fit selected as `trial` if its folder has `file`; else the first repeat of the best cell by the study's
    criterion (`best_first`), or of the next, with an intact one.
    """
    selected = selection.get("trial", "")
    known = list(map(str, dict.fromkeys([*_best_first(data), *data.every_done["key"]])))
    if selected in known and file(data.folder(selected)).exists():
        return selected  # even if it is damaged, which the view then says
    return next((key for key in known if data.holds(key, file(data.folder(key)))), None)


def _best_first(data: StudyData) -> list[str]:
    """Keys of finished fits, those of the best cell first; of folds, the first of each repeat."""
    done = repeats(numbered(data)[1])
    rank = {cell: place for place, cell in enumerate(best_first(data))}
    return done.assign(rank=done["cell"].map(rank)).sort_values("rank", kind="stable")["key"].tolist()


def words(data: StudyData, row: pd.Series) -> str:
    """A fit by its case and method, or its settings off the centre, by seed and, if it has one, annotator, with its
    score at the study's inference settings.
    """
    off = [
        f"{symbol} = {style.value(row[axis])}"
        for axis, symbol in data.axes.items()
        if axis != CASE and not axis.startswith(INFERENCE) and not same(row[axis], data.centre[axis])
    ]
    cell = ", ".join([*([str(row[CASE])] if CASE in data.axes else []), *off]) or "centre"
    named = CASE in data.axes and _letters(cell) != _letters(str(row["method"]))
    method = f"{row['method']} · " if named else ""
    score = f" · {row[data.score]:.1f} %" if row["own"] else ""
    score = score if row["state"] == "done" else f" · {row['state']}"
    return f"{method}{cell} · {repeat_of(row)}{score}"


def _letters(name: str) -> str:
    """A name without what differs between spellings, as in BaS-Net and basnet."""
    return "".join(filter(str.isalnum, name)).casefold()


def repeat_of(row: pd.Series) -> str:
    """Seed, annotator and fold of a trial in words, without those that it does not have."""
    annotator = "" if row["annotator"] == NO_ANNOTATOR else f" · {row['annotator']}"
    fold = f" · fold {row['fold']}" if "fold" in row else ""
    return f"seed {row['seed']}{annotator}{fold}"


def same(value: object, centre: object) -> bool:
    """Whether one value equals the centre's, as `results.trials.equal` does for a column."""
    return value is None or value != value if centre is None else bool(value == centre)


def offered(data: StudyData, *chosen: str | None) -> dict[str, str]:
    """Names of at most MOST_OFFERED fits by key: the chosen ones, finished ones at the centre, then the best."""
    fits = data.every[(data.every["state"] == "done") | data.every["key"].isin(chosen)].sort_values(
        data.score, ascending=False, kind="stable"
    )
    own = data.is_centre(fits, free=[axis for axis in data.axes if not axis.startswith(INFERENCE)])
    fits = fits.assign(own=own, centre=data.is_centre(fits), chosen=fits["key"].isin(chosen))
    fits = fits.sort_values("own", ascending=False, kind="stable").drop_duplicates("key")
    fits = fits.sort_values(["chosen", "centre"], ascending=False, kind="stable").head(MOST_OFFERED)
    return {str(row["key"]): words(data, row) for _, row in fits.iterrows()}


def chooser(data: StudyData, selection: Selection, key: str) -> html.Label:
    """The dropdown of fits; key: the one on screen."""
    opened = selection.get("trial", key)
    elsewhere = opened != key and opened in set(data.every["key"])
    lacking = "; the selected one has no files for this view" if elsewhere else ""
    return components.select("trial", f"trial ({data.score}){lacking}", offered(data, key), key)
