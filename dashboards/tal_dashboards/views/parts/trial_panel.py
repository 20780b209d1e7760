"""Trial panel beside the page: results of one fit, differences from the centre, mAP and losses by epoch, settings.

The URL holds its state: `trial` is the key of a fit; `panel` is "open" or "closed" if that differs from the view's
default. In a view about one trial, `trial` alone selects its subject and the panel is closed; in all others it is open.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple, TypedDict

import pandas as pd
import plotly.graph_objects as go
from dash import html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from plotly.subplots import make_subplots

from tal_dashboards.app import components
from tal_dashboards.app.notes import note_part
from tal_dashboards.data.fits import offered, repeat_of
from tal_dashboards.data.study_data import Selection, StudyData, query_of
from tal_dashboards.style import COLOURS, DASHES, figure, text, value
from tal_search.errors import InputError
from tal_search.results.trials import equal
from tal_search.tracking.values import trial_params
from tal_search.types import INFERENCE, criterion

NOT_SHOWN = ["id", "key", "started", "ended", "mlflow"]
ABOUT_ONE = ("playground", "errors", "timeline")  # views whose subject is the chosen trial
PER_ROW = 2  # plots of losses beside one another
ROW, GAP = 96, 54  # pixels: height of a loss's plot; space for ticks and name between two of them
KEY_PLACE = 2  # of a trial's key in the `customdata` of a point
CAPTIONS = {
    "mAP by epoch": "mAP by epoch, at the inference settings of the preset.",
    "losses by epoch": "Each loss by epoch, on its own scale.",
}


class ClickedPoint(TypedDict, total=False):
    """A point that was clicked; customdata: as its trace has it."""

    x: float | str | None
    customdata: object


class ClickData(TypedDict, total=False):
    """`clickData` of a graph."""

    points: list[ClickedPoint]


class TrialInfo(NamedTuple):
    """One fit. name: in words. epochs: see `StudyData.epochs`; by: the tIoU of its mAP curve, "0.5" or "average".

    trials: as in `StudyData.trials`, one for each inference setting that the fit is scored at. settings: `setting`,
    `this trial`, `centre`, named as overrides, those that differ first; empty if the fit's folder is gone. differing:
    how many differ. repeats: by key, seed and annotator of all fits of the cell. study: its folder, which keeps notes.
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
    """None if the study has no fit of this key."""
    trials = data.every[data.every["key"] == key]
    if not len(trials):
        return None
    mine, centre = _settings(data, key), _settings(data, *data.every.loc[data.is_centre(data.every), "key"].head(1))
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
    """All settings of a fit by name; none if its folder is gone."""
    try:
        spec = data.spec(key)
    except InputError:
        return {}
    return {"method": spec.method, **trial_params(spec)}


def _repeats(data: StudyData, trials: pd.DataFrame) -> dict[str, str]:
    """Seed, annotator and fold, by key, of the fits that share every training axis with the first of these trials."""
    same_cell = pd.Series(True, index=data.every.index)
    for axis in data.axes:
        if not axis.startswith(INFERENCE):
            same_cell &= equal(data.every[axis], trials[axis].iloc[0])
    repeat = [name for name in ("annotator", "seed", "fold") if name in data.every]
    fits = data.every[same_cell].drop_duplicates("key").sort_values(repeat, kind="stable")
    return {str(row["key"]): repeat_of(row) for _, row in fits.iterrows()}


def opened(selection: Selection) -> str:
    """The key of the fit in the open panel; "" if the panel is closed."""
    default = "closed" if selection.get("view") in ABOUT_ONE else "open"
    return selection.get("trial", "") if selection.get("panel", default) == "open" else ""


def beside(selection: Selection, *, shown: bool) -> dict[str, str]:
    """The selection with the panel open or closed; `panel` is set only if that differs from the view's default."""
    changed = {name: value for name, value in selection.items() if name != "panel"}
    if "trial" in changed and bool(opened(changed)) != shown:
        changed["panel"] = "open" if shown else "closed"
    return changed


def trial_query(selection: Selection, key: str) -> str:
    """The same view with a fit open in the panel."""
    return query_of(beside({**selection, "trial": key}, shown=True))


def clicked_query(selection: Selection, click: ClickData | None) -> str:
    """`trial_query` of the trial whose point was clicked. Raises PreventUpdate: the point is no trial's."""
    points = click.get("points") if click else None
    custom = points[0].get("customdata") if points else None
    if not isinstance(custom, list) or len(custom) <= KEY_PLACE:
        raise PreventUpdate
    return trial_query(selection, str(custom[KEY_PLACE]))


def view_query(selection: Selection, view: str) -> str:
    """Another view with the same selection; the panel stays open or closed."""
    return query_of(beside({**selection, "view": view}, shown=bool(opened(selection))))


def closed_query(selection: Selection) -> str:
    """The same view with the panel closed; views about one trial keep their trial."""
    left = {name: value for name, value in selection.items() if name != "trial" or selection.get("view") in ABOUT_ONE}
    return query_of(beside(left, shown=False))


def trial_tables(info: TrialInfo) -> dict[str, pd.DataFrame]:
    """Results with a column for each trial, and settings."""
    rows = info.trials.drop(columns=NOT_SHOWN).set_index("number")
    rows = rows.loc[:, rows.notna().any() & (rows != "").any()]
    results = {f"trial {number}": [value(entry) for entry in rows.loc[number]] for number in rows.index}
    return {"results": pd.DataFrame({"of the trial": list(rows.columns), **results}), "settings": info.settings}


def trial_figures(info: TrialInfo) -> dict[str, go.Figure]:
    """mAP by epoch of each split that was scored, and losses; without figures that would be empty."""
    losses = [name for name in info.epochs if str(name).startswith("loss/") and info.epochs[name].notna().any()]
    losses.sort(key=lambda name: name != "loss/total")  # the total, which is minimized, first
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
    """A small plot for each loss with a y axis of its own, as losses differ by orders of magnitude.

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


def trial_layout(info: TrialInfo) -> list[Component]:
    """The panel below the fit's name."""
    tables, off = trial_tables(info), info.differing
    run = info.trials["mlflow"].dropna()
    link = [html.P(components.outside("Its run in MLflow", str(run.iloc[0])))] if len(run) else []
    differing = (
        components.table(tables["settings"].head(off), "Differences from the centre", "study-trial-differing")
        if off
        else html.P("All settings are those of the centre." if len(info.settings) else "Its settings are gone.")
    )
    graphs = [
        components.graph(f"study-trial-{name.split()[0]}", drawn, CAPTIONS[name])
        for name, drawn in trial_figures(info).items()
    ]
    results = components.table(tables["results"], "Results at the study's inference settings", "study-trial-results")
    every = components.table(tables["settings"], "All settings, those that differ first", "study-trial-settings")
    folded = [html.Details([html.Summary("All settings"), every])] if len(info.settings) else []
    return [*link, note_part(info.study, info.key), differing, *graphs, results, *folded]
