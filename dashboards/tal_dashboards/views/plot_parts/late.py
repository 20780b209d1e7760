"""What takes seconds in view 3: interactions of a grid, marginal effects and path of a sampler, importance."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import html

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.data.importance import MOST_FOR_FANOVA, importance_rule, importances
from tal_dashboards.data.study_data import StudyData
from tal_dashboards.figures.axis_figures import importance_figure, residual_figure
from tal_dashboards.figures.axis_lines import score_words
from tal_dashboards.figures.search_figures import marginal_figure, marginal_range, path_figure
from tal_search.results.axis_effects import NEEDS_REPEATS, WITHIN_NOISE
from tal_search.results.breakdown.interactions import INTERACT, interaction_table, interactions
from tal_search.results.noise import noise
from tal_search.results.ranking import selected_by
from tal_search.results.search.ablation_path import ablation_path
from tal_search.results.search.forest import REFITS, unfitted
from tal_search.results.search.marginal_effects import marginal_effects

ONE_AT_A_TIME = (
    "This study changes one axis at a time, so it cannot show interactions: whether the best value of one axis depends "
    "on another. A grid of two axes can (search.plan=grid)."
)
ANOTHER_QUESTION = (
    "Importance answers another question than the ranking of axes: which share of the variance an axis explains over "
    "the whole space (fANOVA), or what being among the best tenth depends on (PED-ANOVA). It is no size of an effect, "
    "and is not compared with the noise."
)
VERDICTS = {
    INTERACT: "{first} and {second} interact: what one does depends on the other.",
    WITHIN_NOISE: "{first} and {second} add up: what is left over lies within the noise.",
    NEEDS_REPEATS: "{first} and {second}: no interaction is shown, and none excluded; needs {needs}.",
}


class LateInfo(NamedTuple):
    """effects and path: of what the study selects by, `objective`; the others of `score` or the study's own score.

    residuals: of the chosen pair, None where there are none. unimportant: why there are no importances.
    """

    score: str
    objective: str
    importance: pd.DataFrame
    unimportant: str
    effects: pd.DataFrame
    path: pd.DataFrame
    interactions: pd.DataFrame
    residuals: pd.DataFrame | None
    noise: float


@lru_cache(maxsize=4)
def late_info(data: StudyData, score: str, pair: tuple[str, str] | None) -> LateInfo:
    """pair: whose residuals are drawn, columns and rows."""
    why = importance_rule(data)
    return LateInfo(
        score=score, objective=selected_by(data), unimportant=why,
        importance=pd.DataFrame() if why else _importances(data, score), effects=marginal_effects(data),
        path=ablation_path(data), interactions=interaction_table(data), residuals=_residuals(data, pair),
        noise=noise(data),
    )  # fmt: skip


@lru_cache(maxsize=4)
def _importances(data: StudyData, score: str) -> pd.DataFrame:
    return importances(data.done, tuple(data.axes), score)


def _residuals(data: StudyData, pair: tuple[str, str] | None) -> pd.DataFrame | None:
    found = interactions(data)
    if pair is None or not {pair, pair[::-1]} & found.keys():
        return None
    return found[pair].residuals if pair in found else found[pair[::-1]].residuals.T


def late_figures(found: LateInfo, data_score: str, axes: dict[str, str], pair: Any) -> dict[str, go.Figure]:
    drawn = {}
    if found.residuals is not None:
        titles = [f"{axes[axis]} ({axis})" for axis in pair]
        drawn["interaction"] = residual_figure(found.residuals, titles, data_score, found.noise)
    if len(found.effects):
        limits = marginal_range(found.effects)
        for axis, mine in found.effects.groupby("name", sort=False):
            drawn[f"marginal {axis}"] = marginal_figure(mine, score_words(found.objective), limits)
    if len(found.path):
        drawn["path"] = path_figure(found.path, score_words(found.objective))
    if len(found.importance):
        drawn["importance"] = importance_figure(found.importance, axes)
    return drawn


def late_tables(found: LateInfo) -> dict[str, pd.DataFrame]:
    tables = {"interactions": found.interactions, "marginal effects": found.effects, "path": found.path}
    if found.residuals is not None:
        tables["interaction residuals"] = found.residuals.rename(columns=style.value).reset_index(names="value")
    return {name: one for name, one in {**tables, "importance": found.importance}.items() if len(one)}


def part(data: StudyData, score: str, pair: tuple[str, str] | None) -> list[Any]:
    """Sections, each with what it says in words."""
    found = late_info(data, score, pair)
    drawn = late_figures(found, data.score, data.axes, pair)
    graphs = {name: components.graph(_id(name), one, _caption(name, found)) for name, one in drawn.items()}
    return [*_interactions(data, found, graphs, pair), *_search(data, found, graphs), *_shares(found, graphs)]


def _id(name: str) -> Any:
    return "plots-importances" if name == "importance" else {"type": "plots-graph", "name": name}


def _caption(name: str, found: LateInfo) -> str:
    of_kind = {
        "interaction": "Mean of each cell less the sum of both axes' effects, averaged over the other "
        "axes; grey inside the noise.",
        "marginal": f"{name.partition(' ')[2]} alone.",
        "path": "From the centre to the best cell, the greatest gain first. Filled marks are measured, hollow ones "
        "predicted by the forest; the best cell is the highest of many, so its last step is partly luck.",
        "importance": f"Share of {score_words(found.score)} by PED-ANOVA and by fANOVA (of at most "
        f"{MOST_FOR_FANOVA} trials, evenly taken).",
    }
    return of_kind[name.split()[0]]


def _interactions(data: StudyData, found: LateInfo, graphs: dict[str, Any], pair: Any) -> list[Any]:
    if data.plan == "one_at_a_time" and len(data.axes) > 1:
        return [html.P(ONE_AT_A_TIME, id="plots-interactions")]
    if not len(found.interactions):
        return []
    names, rows = data.axes, found.interactions.to_dict("records")
    said = [
        VERDICTS[row["verdict"]].format(first=names[row["first"]], second=names[row["second"]], needs=row["needs"])
        for row in rows
        if pair and {row["first"], row["second"]} == {*pair}
    ]
    named = {axis: [f"{names[row[axis]]} ({row[axis]})" for row in rows] for axis in ("first", "second")}
    heads = {"largest": f"largest residual, {data.score} (points)", "p adjusted": "p"}
    columns = ["first", "second", "largest", "p adjusted", "verdict", "needs"]
    table = found.interactions.assign(**named)[columns].round({"largest": 2, "p adjusted": 3}).rename(columns=heads)
    caption = "Interactions of pairs of axes: F test of what the additive model leaves over, Holm's correction"
    return [
        html.H2("Interactions"), *(html.P(one) for one in said),
        html.Div([graphs["interaction"]] if "interaction" in graphs else [], className="figures"),
        components.table(table, caption, "plots-interactions"),
    ]  # fmt: skip


def _search(data: StudyData, found: LateInfo, graphs: dict[str, Any]) -> list[Any]:
    if data.plan != "sampler":
        return []
    if not len(found.effects):
        return [html.P(unfitted(data), className="quiet", id="plots-marginal")]
    where = "held-out training videos" if found.objective == "holdout" else "the test split"
    words = (
        f"What each axis does to mAP ({where}) by itself: the mean prediction of a random forest over the study's "
        "cells, one axis set to each value. Cells stopped early are left out. Dashed: the centre. Bands: ± 1.96 "
        f"standard deviations over {REFITS} refits on resampled cells; the spread of the curve, not a test."
    )
    marginals = [graph for name, graph in graphs.items() if name.startswith("marginal ")]
    path = [html.H2("From the centre to the best cell"), graphs["path"]] if "path" in graphs else []
    return [
        html.H2("Marginal effects"), html.P(words, id="plots-marginal"),
        html.Div(marginals, className="figures several"), *path,
    ]  # fmt: skip


def _shares(found: LateInfo, graphs: dict[str, Any]) -> list[Any]:
    if found.unimportant or "importance" not in graphs:
        return [html.P(found.unimportant or "No axis changes the score.", className="quiet")]
    return [html.H2("Importance"), html.P(ANOTHER_QUESTION, className="quiet"), graphs["importance"]]
