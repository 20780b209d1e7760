"""The fits of a study that a reader may look into: which one is chosen, and how it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.data.study_data import Selection, StudyData
from tal_search.trial.folder import TrialFolder
from tal_search.types import INFERENCE

MOST_OFFERED = 200


def chosen_fit(data: StudyData, selection: Selection, kept: Callable[[TrialFolder], Path]) -> str | None:
    """The fit selected as `trial`, else one at the centre, else the first; one whose folder has the file `kept`."""
    done = data.done
    wanted = [selection.get("trial", ""), *done.loc[data.is_centre(done), "key"].head(1), *done["key"]]
    known = set(done["key"])
    return next((key for key in dict.fromkeys(wanted) if key in known and kept(data.folder(key)).exists()), None)


def words(data: StudyData, row: Mapping[Any, Any]) -> str:
    """A fit by its distance from the centre and its repeat, with its score at the study's inference settings."""
    off = [
        f"{symbol} = {style.value(row[axis])}"
        for axis, symbol in data.axes.items()
        if not axis.startswith(INFERENCE) and not same(row[axis], data.centre[axis])
    ]
    score = f" · {row[data.score]:.1f} %" if row["own"] else ""
    score = score if row["state"] == "done" else f" · {row['state']}"
    return f"{', '.join(off) or 'centre'} · seed {row['seed']} · {row['annotator']}{score}"


def same(found: Any, centre: Any) -> bool:
    """`results.trials.equal` of one value."""
    return bool(pd.isna(found) if centre is None else found == centre)


def offered(data: StudyData, *chosen: str | None) -> dict[str, str]:
    """Fits in words by key: the chosen ones, finished ones at the centre, and the best, at most MOST_OFFERED."""
    fits = data.trials[(data.trials["state"] == "done") | data.trials["key"].isin(chosen)].sort_values(
        data.score, ascending=False, kind="stable"
    )
    own = data.is_centre(fits, free=[axis for axis in data.axes if not axis.startswith(INFERENCE)])
    fits = fits.assign(own=own, centre=data.is_centre(fits), chosen=fits["key"].isin(chosen))
    fits = fits.sort_values("own", ascending=False, kind="stable").drop_duplicates("key")
    fits = fits.sort_values(["chosen", "centre"], ascending=False, kind="stable").head(MOST_OFFERED)
    return {str(row["key"]): words(data, row) for row in fits.to_dict("records")}


def chooser(data: StudyData, selection: Selection, key: str) -> Any:
    """The control that chooses the fit; key: the one that is shown."""
    opened = selection.get("trial", key)
    elsewhere = opened != key and opened in set(data.trials["key"])
    lacking = "; the one opened keeps nothing to show here" if elsewhere else ""
    return components.select("trial", f"trial ({data.score}){lacking}", offered(data, key), key)
