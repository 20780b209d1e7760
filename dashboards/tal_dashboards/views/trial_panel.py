"""One fit beside the page: its results, what differs from the centre, its mAP and losses by epoch, its settings.

The URL says what is open: `trial` is the key of a fit, and `panel` is "open" or "closed" where that is not the rule of
the view. In a view about one trial, `trial` alone is its subject and opens no panel; in every other one it does.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import html
from plotly.subplots import make_subplots

from tal_dashboards.app import components
from tal_dashboards.app.notes import note_part
from tal_dashboards.data.fits import offered
from tal_dashboards.data.study_data import Selection, StudyData, query_of
from tal_dashboards.style import COLOURS, DASHES, figure, text, value
from tal_search.errors import InputError
from tal_search.results.trials import equal
from tal_search.tracking.values import trial_params
from tal_search.types import INFERENCE, criterion

NOT_SHOWN = ["id", "key", "started", "ended", "mlflow"]
ABOUT_ONE = ("playground", "errors", "timeline")  # views whose subject is the chosen trial
PER_ROW = 2  # losses beside one another
ROW, GAP = 96, 54  # pixels: the plot of a loss; the ticks and the name between two of them
CAPTIONS = {
    "mAP by epoch": "mAP by epoch, at the inference settings of the preset.",
    "losses by epoch": "Each loss by epoch, on its own scale.",
}


class TrialInfo(NamedTuple):
    """One fit. name: in words. epochs: see `StudyData.epochs`; by: the mAP of its curve, "0.5" or "average".

    trials: one row a trial, as in `StudyData.trials`: a fit scored at several inference settings is a trial at each.
    settings: `setting`, `this trial`, `centre`, by the names of a study's overrides, those that differ first; empty
    where the folder of the fit is gone. differing: how many differ. repeats: seed and annotator of the fits of the same
    cell by key, this one among them. study: the folder of the study, which keeps the note on it.
    """

    key: str
    name: str
    by: str
    epochs: pd.DataFrame
    trials: pd.DataFrame
    settings: pd.DataFrame
    differing: int
    repeats: dict[str, str]
    study: Path


def trial_info(data: StudyData, key: str) -> TrialInfo | None:
    """None of a key that is no fit of the study."""
    trials = data.trials[data.trials["key"] == key]
    if not len(trials):
        return None
    mine, centre = _settings(data, key), _settings(data, *data.trials.loc[data.is_centre(data.trials), "key"].head(1))
    off = [name for name in mine if centre and mine[name] != centre.get(name, "–")]
    names = [*off, *(name for name in mine if name not in off)]
    settings = pd.DataFrame(
        {"setting": names, "this trial": [mine[name] for name in names], "centre": [centre.get(n, "–") for n in names]}
    )
    return TrialInfo(
        key=key, name=offered(data, key)[key], by=criterion(data.tiou), epochs=data.epochs(key), trials=trials,
        settings=settings, differing=len(off), repeats=_repeats(data, trials), study=data.runs / data.name,
    )  # fmt: skip


def _settings(data: StudyData, key: str = "") -> dict[str, str]:
    """Everything that a fit was asked to be; nothing where its folder is gone."""
    try:
        spec = data.spec(key)
    except InputError:
        return {}
    return {"method": spec.method, **trial_params(spec)}


def _repeats(data: StudyData, trials: pd.DataFrame) -> dict[str, str]:
    """The fits that share every training axis with the first of these trials."""
    same = pd.Series(True, index=data.trials.index)
    for axis in data.axes:
        if not axis.startswith(INFERENCE):
            same &= equal(data.trials[axis], trials[axis].iloc[0])
    fits = data.trials[same].drop_duplicates("key").sort_values(["annotator", "seed"], kind="stable")
    return {str(row.key): f"seed {row.seed} · {row.annotator}" for row in fits.itertuples()}


def opened(selection: Selection) -> str:
    """The key of the fit that is open beside the page; "" where none is."""
    rule = "closed" if selection.get("view") in ABOUT_ONE else "open"
    return selection.get("trial", "") if selection.get("panel", rule) == "open" else ""


def beside(selection: Selection, *, shown: bool) -> dict[str, str]:
    """The selection with its trial open beside the page or not, and `panel` only where the view's rule says else."""
    found = {name: value for name, value in selection.items() if name != "panel"}
    if "trial" in found and bool(opened(found)) != shown:
        found["panel"] = "open" if shown else "closed"
    return found


def trial_query(selection: Selection, key: str) -> str:
    """The view as it is, with a fit open beside it."""
    return query_of(beside({**selection, "trial": key}, shown=True))


def view_query(selection: Selection, view: str) -> str:
    """Another view with the same selection; what is open beside the page stays open, what is closed closed."""
    return query_of(beside({**selection, "view": view}, shown=bool(opened(selection))))


def closed_query(selection: Selection) -> str:
    """The view without anything beside it; one about the trial keeps it."""
    left = {name: value for name, value in selection.items() if name != "trial" or selection.get("view") in ABOUT_ONE}
    return query_of(beside(left, shown=False))


def trial_tables(info: TrialInfo) -> dict[str, pd.DataFrame]:
    """Results with a column a trial, and settings."""
    rows = info.trials.drop(columns=NOT_SHOWN).set_index("number")
    rows = rows.loc[:, rows.notna().any() & (rows != "").any()]
    results = {f"trial {number}": [value(one) for one in rows.loc[number]] for number in rows.index}
    return {"results": pd.DataFrame({"of the trial": list(rows.columns), **results}), "settings": info.settings}


def trial_figures(info: TrialInfo) -> dict[str, go.Figure]:
    """mAP by epoch of each split that was scored, and losses; none where no epoch has a number of them."""
    losses = [name for name in info.epochs if str(name).startswith("loss/") and info.epochs[name].notna().any()]
    losses.sort(key=lambda name: name != "loss/total")  # first what is trained on
    both = {"mAP by epoch": _scores(info), "losses by epoch": loss_figure(info.epochs[["epoch", *losses]])}
    return {name: drawn for name, drawn in both.items() if drawn.data}


def _scores(info: TrialInfo) -> go.Figure:
    drawn = figure("epoch", "average mAP (%)" if info.by == "average" else f"mAP@{info.by} (%)", height=260)
    for place, split in enumerate(("test", "holdout")):
        column = f"{split}/mAP/{info.by}"
        if column not in info.epochs:
            continue
        rows = info.epochs[info.epochs[column].notna()]
        drawn.add_scatter(
            x=rows["epoch"], y=100 * rows[column], name=f"{split} videos", mode="lines+markers", showlegend=True,
            line={"color": COLOURS[place], "dash": DASHES[place]}, hovertemplate="epoch %{x}: %{y:.2f} %",
        )  # fmt: skip
    drawn.update_yaxes(rangemode="tozero")
    return drawn


def loss_figure(epochs: pd.DataFrame) -> go.Figure:
    """A small plot a loss, its y axis from its lowest to its highest value: losses differ by orders of magnitude.

    epochs: `epoch`, and each loss as `loss/NAME`.
    """
    names = [str(name) for name in epochs.columns[1:]]
    rows = max(1, math.ceil(len(names) / PER_ROW))
    inside = rows * ROW + (rows - 1) * GAP
    drawn = make_subplots(
        rows=rows, cols=PER_ROW, vertical_spacing=GAP / inside, horizontal_spacing=0.17,
        subplot_titles=[text(name.removeprefix("loss/")) for name in names],
    )  # fmt: skip
    common = figure("", "", height=inside + 84).layout.to_plotly_json()
    axes = {name: {**common.pop(name), "automargin": False, "title": None} for name in ("xaxis", "yaxis")}
    small = {"nticks": 4, "tickfont": {"size": 11}}
    drawn.update_layout(**common, showlegend=False)
    drawn.update_layout(margin={"l": 48, "r": 12, "t": 28, "b": 56})
    drawn.update_xaxes(**axes["xaxis"], **small)
    drawn.update_yaxes(**axes["yaxis"], **small)
    drawn.update_annotations(font={"size": 12})
    for place, name in enumerate(names):
        known, column = epochs[epochs[name].notna()], name.removeprefix("loss/")
        drawn.add_scatter(
            x=known["epoch"], y=known[name], name=text(column), mode="lines", line={"color": COLOURS[0], "width": 2},
            hovertemplate="epoch %{x}: %{y:.4g}", row=place // PER_ROW + 1, col=place % PER_ROW + 1,
        )  # fmt: skip
        if place + PER_ROW >= len(names):
            drawn.update_xaxes(title={"text": "epoch"}, row=place // PER_ROW + 1, col=place % PER_ROW + 1)
    if len(names) < rows * PER_ROW:
        drawn.update_xaxes(visible=False, row=rows, col=PER_ROW)
        drawn.update_yaxes(visible=False, row=rows, col=PER_ROW)
    return drawn


def trial_layout(info: TrialInfo | None) -> list[Any]:
    """All of a fit below its name."""
    if info is None:
        return []
    tables, off = trial_tables(info), info.differing
    run = info.trials["mlflow"].dropna()
    link = [html.P(components.outside("Its run in MLflow", str(run.iloc[0])))] if len(run) else []
    differing = (
        components.table(tables["settings"].head(off), "What differs from the centre", "study-trial-differing")
        if off
        else html.P("Every setting is the centre's." if len(info.settings) else "Its settings are gone.")
    )
    graphs = [
        components.graph(f"study-trial-{name.split()[0]}", drawn, CAPTIONS[name])
        for name, drawn in trial_figures(info).items()
    ]
    results = components.table(tables["results"], "Results at the study's inference settings", "study-trial-results")
    every = components.table(tables["settings"], "All settings, those that differ first", "study-trial-settings")
    folded = [html.Details([html.Summary("All settings"), every])] if len(info.settings) else []
    return [*link, note_part(info.study, info.key), differing, *graphs, results, *folded]
