"""Slow part of the sensitivity plots: interactions of a grid, marginal effects and path of a sampler, importance."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import html
from dash.development.base_component import Component

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

Pair = tuple[str, str] | None  # the two chosen axes: columns and rows
ONE_AT_A_TIME = (
    "This study changes one axis at a time, so it cannot show interactions: whether the best value of one axis depends "
    "on another. A grid of two axes can (search.plan=grid)."
)
ANOTHER_QUESTION = (
    "Importance answers another question than the ranking of axes: the share of variance that an axis explains over "
    "the whole space (fANOVA), or how much being in the best tenth depends on it (PED-ANOVA). It is not an effect size "
    "and is not compared with the noise."
)
VERDICTS = {
    INTERACT: "{first} and {second} interact: the effect of one depends on the other.",
    WITHIN_NOISE: "{first} and {second} are additive: the residuals are within the noise.",
    NEEDS_REPEATS: "{first} and {second}: an interaction is neither shown nor excluded; needs {needs}.",
}
INTERACTION_WORDS = (
    "Mean of each cell less the sum of both axes' effects, averaged over the other axes; grey within the noise."
)
PATH_WORDS = (
    "From the centre to the best cell, the largest gain first. Filled marks are measured, hollow ones predicted by the "
    "forest; the best cell is the highest of many, so its last step is partly luck."
)


class LateInfo(NamedTuple):
    """importance, interactions: of `score` or the study's own score. effects, path: of `objective`, by which the study
    selects. residuals: of the chosen pair, or None. unimportant: why there are no importances.
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


class LateFigures(NamedTuple):
    """marginals: by axis. The others: None if there is nothing to draw."""

    interaction: go.Figure | None
    marginals: dict[str, go.Figure]
    path: go.Figure | None
    importance: go.Figure | None


@lru_cache(maxsize=4)
def late_info(data: StudyData, score: str, pair: Pair) -> LateInfo:
    """pair: of the residuals."""
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


def _residuals(data: StudyData, pair: Pair) -> pd.DataFrame | None:
    tested = interactions(data)
    if pair is None or not {pair, pair[::-1]} & tested.keys():
        return None
    return tested[pair].residuals if pair in tested else tested[pair[::-1]].residuals.T


def _draw(info: LateInfo, data_score: str, axes: dict[str, str], pair: Pair) -> LateFigures:
    words, limits = score_words(info.objective), marginal_range(info.effects) if len(info.effects) else None
    titles = [f"{axes[axis]} ({axis})" for axis in pair or ()]
    residuals = info.residuals
    return LateFigures(
        interaction=None if residuals is None else residual_figure(residuals, titles, data_score, info.noise),
        marginals={
            str(axis): marginal_figure(rows, words, limits) for axis, rows in info.effects.groupby("name", sort=False)
        } if len(info.effects) else {},
        path=path_figure(info.path, words) if len(info.path) else None,
        importance=importance_figure(info.importance, axes) if len(info.importance) else None,
    )  # fmt: skip


def late_figures(info: LateInfo, data_score: str, axes: dict[str, str], pair: Pair) -> dict[str, go.Figure]:
    """By name: "interaction", "marginal AXIS", "path", "importance"; those with something to draw."""
    drawn = _draw(info, data_score, axes, pair)
    marginals = {f"marginal {axis}": figure for axis, figure in drawn.marginals.items()}
    named = {"interaction": drawn.interaction, **marginals, "path": drawn.path, "importance": drawn.importance}
    return {name: figure for name, figure in named.items() if figure is not None}


def late_tables(info: LateInfo) -> dict[str, pd.DataFrame]:
    """By name, without empty ones."""
    tables = {"interactions": info.interactions, "marginal effects": info.effects, "path": info.path}
    if info.residuals is not None:
        tables["interaction residuals"] = info.residuals.rename(columns=style.value).reset_index(names="value")
    return {name: table for name, table in {**tables, "importance": info.importance}.items() if len(table)}


def part(data: StudyData, score: str, pair: Pair) -> list[Component]:
    """Interactions, marginal effects, path and importance, each with its result in words."""
    info = late_info(data, score, pair)
    drawn = _draw(info, data.score, data.axes, pair)
    return [*_interactions(data, info, drawn.interaction, pair), *_search(data, info, drawn), *_shares(info, drawn)]


def _graph(name: str, figure: go.Figure, words: str) -> Component:
    return components.graph({"type": "plots-graph", "name": name}, figure, words)


def _interactions(data: StudyData, info: LateInfo, drawn: go.Figure | None, pair: Pair) -> list[Component]:
    if data.plan == "one_at_a_time" and len(data.axes) > 1:
        return [html.P(ONE_AT_A_TIME, id="plots-interactions")]
    if not len(info.interactions):
        return []
    names, rows = data.axes, info.interactions.to_dict("records")
    sentences = [
        VERDICTS[row["verdict"]].format(first=names[row["first"]], second=names[row["second"]], needs=row["needs"])
        for row in rows
        if pair and {row["first"], row["second"]} == {*pair}
    ]
    named = {axis: [f"{names[row[axis]]} ({row[axis]})" for row in rows] for axis in ("first", "second")}
    heads = {"largest": f"largest residual, {data.score} (points)", "p adjusted": "p"}
    columns = ["first", "second", "largest", "p adjusted", "verdict", "needs"]
    table = info.interactions.assign(**named)[columns].round({"largest": 2, "p adjusted": 3}).rename(columns=heads)
    caption = "Interactions of pairs of axes: F test of the residuals of the additive model, Holm's correction"
    return [
        html.H2("Interactions"), *(html.P(sentence) for sentence in sentences),
        html.Div([_graph("interaction", drawn, INTERACTION_WORDS)] if drawn is not None else [], className="figures"),
        components.table(table, caption, "plots-interactions"),
    ]  # fmt: skip


def _search(data: StudyData, info: LateInfo, drawn: LateFigures) -> list[Component]:
    if data.plan != "sampler":
        return []
    if not len(info.effects):
        return [html.P(unfitted(data), className="quiet", id="plots-marginal")]
    where = "held-out training videos" if info.objective == "holdout" else "the test split"
    words = (
        f"Effect of each axis by itself on mAP ({where}): the mean prediction of a random forest over the study's "
        "cells with the axis set to each value. Cells stopped early are left out. Dashed: the centre. Bands: ± 1.96 "
        f"standard deviations over {REFITS} refits on resampled cells, the spread of the curve, not a test."
    )
    marginals = [_graph(f"marginal {axis}", figure, f"{axis} alone.") for axis, figure in drawn.marginals.items()]
    path = [] if drawn.path is None else [
        html.H2("From the centre to the best cell"), _graph("path", drawn.path, PATH_WORDS)
    ]  # fmt: skip
    return [
        html.H2("Marginal effects"), html.P(words, id="plots-marginal"),
        html.Div(marginals, className="figures several"), *path,
    ]  # fmt: skip


def _shares(info: LateInfo, drawn: LateFigures) -> list[Component]:
    if info.unimportant or drawn.importance is None:
        return [html.P(info.unimportant or "No axis changes the score.", className="quiet")]
    words = (
        f"Share of {score_words(info.score)} by PED-ANOVA and by fANOVA (of at most {MOST_FOR_FANOVA} trials, evenly "
        "spaced)."
    )
    graph = components.graph("plots-importances", drawn.importance, words)
    return [html.H2("Importance"), html.P(ANOTHER_QUESTION, className="quiet"), graph]
