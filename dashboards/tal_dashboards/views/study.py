"""Study view: progress, the best cell and the centre, mAP by epoch, and a table of all trials."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dash import Dash, Input, Output, State, html
from dash.development.base_component import Component, ComponentType

from tal_dashboards.app import components
from tal_dashboards.app import grid as grids
from tal_dashboards.data.cell_names import names_of
from tal_dashboards.data.progress import progress, seconds_left
from tal_dashboards.data.study_data import Selection, StudyData, selection_of
from tal_dashboards.style import COLOURS, DASHES, figure, text, translucent
from tal_dashboards.views.parts import trial_table
from tal_search.results.cell_table import cells, records
from tal_search.results.next_runs import run_command
from tal_search.results.ranking import best_first, selected_by
from tal_search.results.statistics import HIGH, LOW, means
from tal_search.types import criterion

TITLE = "Study"
OFFERED = 100  # cells to choose from, the best first
COMPARED = "Best and {beside} (mAP in %, ± half the 95 % interval{leaky})"
LEAKY = "; leaky: mAP at the epoch that is best on the test split, as the released code reports it"
REPEAT = ["seed", "annotator"]
MOST_FITS = 50  # of a cell, whose curves are read; of folds, those of one repeat at least
OF_FOLDS = (
    " Of each repeat, the mean of the folds' own scores at epochs that all folds have reached; this is not the pooled "
    "score of the tables, and has no interval."
)


class StudyInfo(NamedTuple):
    """progress: trials by state. seconds_left: None if unknown. best: the cell with the highest mean of `by` (held-out
    videos, else the test split, which is leaky); compared: the best cell and the centre, in words
    `beside`. watched: the split of the
    curves. curves: by cell, with `epoch`, `n`, and `mean` with LOW and HIGH in percent. offered: cells to choose from.
    remark: on the inference settings of the curves.
    """

    progress: pd.DataFrame
    seconds_left: float | None
    by: str
    best: str | None
    compared: pd.DataFrame
    beside: str
    watched: str
    curves: dict[str, pd.DataFrame]
    offered: tuple[str, ...]
    trials: pd.DataFrame
    remark: str


def info(data: StudyData, selection: Selection) -> StudyInfo:
    """Selection: `study-cell`, a cell whose curve is drawn beside those of the best cell and the centre."""
    table = cells(data)
    names = names_of(data, table)
    by, ranked = selected_by(data), best_first(data)
    best = names[ranked[0]] if ranked else None
    chosen = [name for name in (best, selection.get("study-cell")) if name in set(names)]
    rows = [*(place for place, centre in enumerate(table["centre"]) if centre), *(names.index(name) for name in chosen)]
    rows = list(dict.fromkeys(rows))
    watched, curves = _curves(data, table.loc[rows], [names[row] for row in rows])
    scores = [score + ending for score in (data.score, "average") for ending in ("", LOW, HIGH)]
    compared = table.loc[rows, ["n", *scores, "holdout", "leaky"]]
    if np.allclose(compared["leaky"], compared[data.score], equal_nan=True):  # one evaluation: nothing was chosen
        compared = compared.drop(columns="leaky")
    compared.insert(0, "cell", [names[row] for row in rows])
    return StudyInfo(
        progress=progress(data), seconds_left=seconds_left(data), by=by, best=best,
        compared=compared.dropna(axis=1, how="all").reset_index(drop=True),
        beside="reference" if data.plan == "cases" else "centre", watched=watched, curves=curves,
        offered=tuple(names[row] for row in ranked[:OFFERED]), trials=trial_table.listed(data),
        remark=_remark(data),
    )  # fmt: skip


def _remark(data: StudyData) -> str:
    """Epochs are scored at the preset's inference settings, which may differ from the study's."""
    other = [name for name, value in data.inference.items() if value != data.fit_inference[name]]
    folds = OF_FOLDS if data.folds else ""
    return f" Epochs are scored at the preset's {', '.join(other)}, not the study's.{folds}" if other else folds


def _curves(data: StudyData, drawn: pd.DataFrame, names: list[str]) -> tuple[str, dict[str, pd.DataFrame]]:
    """The split on which epochs are scored, and the mean over repeats, and over all folds of each, by epoch for each
    cell.
    """
    watched = "holdout" if data.protocol["selection"] == "holdout" else "test"
    column = f"{watched}/mAP/{criterion(data.tiou)}"
    axes, curves = list(data.axes), {}
    for name, row in zip(names, records(drawn, axes), strict=True):
        cell = pd.DataFrame([row]).astype(data.trials[axes].dtypes.to_dict())
        scores = _read(data, data.every.merge(cell, on=axes) if axes else data.every, column)
        if not len(scores):
            continue
        curve = means(scores[["mean"]], scores["epoch"], scores[REPEAT], ("mean",)).sort_index().reset_index()
        if data.folds:  # the intervals of a study with folds are those of pooled scores
            curve[["mean" + LOW, "mean" + HIGH]] = float("nan")
        curves[name] = curve
    return watched, curves


def _read(data: StudyData, trials: pd.DataFrame, column: str) -> pd.DataFrame:
    """`epoch`, `seed`, `annotator` and `mean` (percent) of the first MOST_FITS of these trials; of folds, of each
    repeat the mean over them at epochs that all have reached.
    """
    fits, folds = trials.drop_duplicates("key"), int(data.folds.get("of", 1))
    if data.folds:
        fits = fits.sort_values(REPEAT, kind="stable")
    frames = [pd.DataFrame(columns=["epoch", "mean", *REPEAT])]
    for key, *repeat in fits.head(max(1, MOST_FITS // folds) * folds)[["key", *REPEAT]].itertuples(index=False):
        epochs = data.known(data.epochs, key)
        if epochs is not None and column in epochs:
            scored = epochs.dropna(subset=column)
            own = {"epoch": scored["epoch"], "mean": 100 * scored[column]}
            frames.append(pd.DataFrame({**own, **dict(zip(REPEAT, repeat, strict=True))}))
    scores = pd.concat(frames[1:] or frames, ignore_index=True)
    if not data.folds:
        return scores
    averaged = scores.groupby([*REPEAT, "epoch"])["mean"].agg(["mean", "size"]).reset_index()
    return averaged[averaged["size"] == folds]


def figures(info: StudyInfo) -> dict[str, go.Figure]:
    return {"curves": _curve_figure(info)} if info.curves else {}


def _curve_figure(info: StudyInfo) -> go.Figure:
    drawn = figure("epoch", f"{info.watched} mAP (%)")
    for place, (name, curve) in enumerate(info.curves.items()):
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]
        high, low = (curve["mean" + ending].fillna(curve["mean"]) for ending in (HIGH, LOW))
        around = pd.concat([high, low.iloc[::-1]])
        both = pd.concat([curve["epoch"], curve["epoch"].iloc[::-1]])
        drawn.add_scatter(x=both, y=around, fill="toself", fillcolor=translucent(colour), mode="none",
                          hoverinfo="skip", showlegend=False, legendgroup=str(place))  # fmt: skip
        drawn.add_scatter(x=curve["epoch"], y=curve["mean"], name=text(name), mode="lines+markers",
                          line={"color": colour, "dash": dash}, legendgroup=str(place), customdata=curve["n"],
                          hovertemplate="epoch %{x}: %{y:.1f} %, n = %{customdata}")  # fmt: skip
    drawn.update_yaxes(rangemode="tozero", minallowed=0)
    return drawn


def tables(info: StudyInfo) -> dict[str, pd.DataFrame]:
    curves = [curve.assign(cell=name) for name, curve in info.curves.items()]
    return {
        "progress": info.progress, "best and centre": info.compared, "trials": info.trials,
        **({"mAP by epoch": pd.concat(curves, ignore_index=True)} if curves else {}),
    }  # fmt: skip


def layout(data: StudyData, selection: Selection) -> Component:
    if not len(data.trials):
        return components.empty("This study has no trial yet.", run_command(data))
    shown = info(data, selection)
    return html.Section([
        components.tiles("study-progress", shown.progress, shown.seconds_left),
        html.P(_best_words(shown), id="study-best"),
        components.table(shown.compared, _compared_words(shown), "study-compared"),
        _cell_choice(shown, selection),
        html.Div(_curve_part(shown), id="study-curves"),
        grids.layout(trial_table.NAME, trial_table.grid(data, selection), selection),
    ])  # fmt: skip


def _best_words(shown: StudyInfo) -> str:
    if shown.best is None:
        return "No trial is finished yet."
    how = "held-out training videos" if shown.by == "holdout" else f"{shown.by} on the test split, which is leaky"
    return f"Best cell, by {how}: {shown.best}."


def _compared_words(shown: StudyInfo) -> str:
    return COMPARED.format(beside=shown.beside, leaky=LEAKY if "leaky" in shown.compared else "")


def _cell_choice(shown: StudyInfo, selection: Selection) -> Component:
    picked = selection.get("study-cell", "")
    names = dict.fromkeys([*shown.offered, *([picked] if picked in shown.curves else [])])
    return components.select(
        "study-cell", "Curve of another cell", {"": "none", **{name: name for name in names}}, picked
    )


def _curve_part(shown: StudyInfo) -> Component:
    if not shown.curves:
        return components.empty(
            "No epoch has been scored yet.", "wait for the first evaluation, or set protocol.evaluate_every=1"
        )
    band = "" if OF_FOLDS in shown.remark else ", band: 95 % interval"
    words = f"mAP by epoch: mean over repeats{band}.{shown.remark}"
    return components.graph("study-curves-graph", figures(shown)["curves"], words)


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """Choosing a cell redraws the curves and the table above them, nothing else."""
    grids.register(app, trial_table.NAME, trial_table.grid, open_study, "study-cell")

    @app.callback(
        Output("study-curves", "children"), Output("study-compared", "children"),
        Input(components.name_of("study-cell"), "value"), State("url", "search"), prevent_initial_call=True,
    )  # fmt: skip
    def chosen(cell: str | None, search: str) -> tuple[Component, ComponentType]:
        shown = info(open_study(), {**selection_of(search), "study-cell": cell or ""})
        return _curve_part(shown), components.table(shown.compared, _compared_words(shown), "study-compared").children
