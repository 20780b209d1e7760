"""What view 1 shows of one fit, which every view's trials lead to: its curve, its losses, its scores and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import html

from tal_dashboards.app import components
from tal_dashboards.app.notes import note_part
from tal_dashboards.data.fits import offered
from tal_dashboards.data.study_data import Selection, StudyData, query_of
from tal_dashboards.style import COLOURS, DASHES, figure, text, value
from tal_search.errors import InputError
from tal_search.tracking.values import trial_params
from tal_search.types import criterion

NOT_SHOWN = ["id", "key", "started", "ended", "mlflow"]
CAPTIONS = {
    "mAP by epoch": "Its mAP by epoch, at the inference settings below.",
    "losses by epoch": "Its losses by epoch.",
}


class TrialInfo(NamedTuple):
    """One fit. name: in words. epochs: see `StudyData.epochs`; by: the mAP of its curve, "0.5" or "average".

    trials: one row a trial, as in `StudyData.trials`: a fit scored at several inference settings is a trial at each.
    settings: everything it was asked to be, by the names of a study's overrides; empty where its folder is gone.
    study: the folder of the study, which keeps the note on it.
    """

    key: str
    name: str
    by: str
    epochs: pd.DataFrame
    trials: pd.DataFrame
    settings: dict[str, str]
    study: Path


def trial_info(data: StudyData, key: str) -> TrialInfo | None:
    """None of a key that is no fit of the study."""
    trials = data.trials[data.trials["key"] == key]
    if not len(trials):
        return None
    try:
        settings = trial_params(data.spec(key))
    except InputError:
        settings = {}
    return TrialInfo(
        key, offered(data, key)[key], criterion(data.tiou), data.epochs(key), trials, settings, data.runs / data.name
    )


def trial_query(selection: Selection, key: str) -> str:
    """Where the page shows a fit, with all else that is selected."""
    return query_of({**selection, "view": "study", "trial": key})


def cell_query(selection: Selection, cell: str) -> str:
    """Where the page shows a cell, by its name, with all else that is selected."""
    return query_of({**selection, "view": "study", "study-cell": cell})


def trial_tables(info: TrialInfo) -> dict[str, pd.DataFrame]:
    """Results with a column a trial, and settings."""
    rows = info.trials.drop(columns=NOT_SHOWN).set_index("number")
    rows = rows.loc[:, rows.notna().any() & (rows != "").any()]
    results = {f"trial {number}": [value(one) for one in rows.loc[number]] for number in rows.index}
    settings = pd.DataFrame({"setting": list(info.settings), "value": list(info.settings.values())})
    return {"results": pd.DataFrame({"of the trial": list(rows.columns), **results}), "settings": settings}


def trial_figures(info: TrialInfo) -> dict[str, go.Figure]:
    """mAP by epoch of each split that was scored, and losses; none where no epoch has a number of them."""
    scored = {f"{split} videos": f"{split}/mAP/{info.by}" for split in ("test", "holdout")}
    losses = {str(name).removeprefix("loss/"): str(name) for name in info.epochs if str(name).startswith("loss/")}
    by = "average mAP (%)" if info.by == "average" else f"mAP@{info.by} (%)"
    curve = _lines(info.epochs, {name: column for name, column in scored.items() if column in info.epochs}, by, 100)
    both = {"mAP by epoch": curve, "losses by epoch": _lines(info.epochs, losses, "loss", 1)}
    return {name: drawn for name, drawn in both.items() if drawn.data}


def _lines(epochs: pd.DataFrame, columns: dict[str, str], title: str, times: int) -> go.Figure:
    """A line a column, by epoch; each value so many times what the column has."""
    drawn = figure("epoch", title, height=340)
    for place, (name, column) in enumerate(columns.items()):
        rows = epochs[epochs[column].notna()]
        drawn.add_scatter(
            x=rows["epoch"], y=times * rows[column], name=text(name), mode="lines+markers" if times > 1 else "lines",
            line={"color": COLOURS[place % len(COLOURS)], "dash": DASHES[place % len(DASHES)]}, showlegend=True,
        )  # fmt: skip
    drawn.update_yaxes(rangemode="tozero")
    return drawn


def trial_layout(info: TrialInfo | None) -> list[Any]:
    if info is None:
        return []
    graphs = [
        components.graph(f"study-trial-{name.split()[0]}", drawn, CAPTIONS[name])
        for name, drawn in trial_figures(info).items()
    ]
    tables = trial_tables(info)
    shown = [
        components.table(tables["results"], "Its results, at the study's inference settings", "study-trial-results")
    ]
    if info.settings:
        shown.append(components.table(tables["settings"], "Its settings", "study-trial-settings"))
    run = info.trials["mlflow"].dropna()
    link = [html.P(components.outside("Its run in MLflow", str(run.iloc[0])))] if len(run) else []
    return [
        html.H2(f"Trial {info.name}"), *link, note_part(info.study, info.key), html.Div(graphs, className="figures"),
        html.Div(shown, className="columns"),
    ]  # fmt: skip
