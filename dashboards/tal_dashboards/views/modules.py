"""View 6, modules and clicks: the papers' ablations beside ours, and what the annotators clicked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import html

from tal_dashboards.app import components
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.style import COLOURS, DASHES, MARKERS, figure, text
from tal_search.data.clicks.click_statistics import ClickStatistics, statistics_of
from tal_search.errors import InputError
from tal_search.results.case_comparison import comparison_info
from tal_search.results.statistics import HIGH, LOW
from tal_search.types import BACKGROUND_CLICKS, CLICKS, NO_ANNOTATOR

TITLE = "Modules and clicks"
LOOKED_AT = 100  # fits, for one whose folder is there
NOTE = " (mAP in %; the paper's on I3D features)"
STUDIES = """\
tal-search run study=thumos_clicks    # Table 6
tal-search run study=thumos_modules   # Table 7
tal-search run study=thumos_position  # Table 8
"""


class ModulesInfo(NamedTuple):
    """compared: cases beside the papers' rows, by title. clicks: one row an annotator and kind of clicks, shares in
    percent. positions: by kind, where in a gap (or instance) clicks lie: a column an annotator, percent by tenth.
    problems: sentences about clicks that could not be read.
    """

    compared: dict[str, pd.DataFrame]
    clicks: pd.DataFrame
    positions: dict[str, pd.DataFrame]
    problems: tuple[str, ...]


def info(data: StudyData, selection: Selection) -> ModulesInfo:
    """Nothing is chosen here."""
    del selection
    problems: list[str] = []
    found = list(_click_statistics(data, problems))
    positions: dict[str, pd.DataFrame] = {}
    for annotator, one in found:
        tenth = pd.Series([f"{10 * place} to {10 * place + 10}" for place in range(10)], name="% of the way")
        columns = positions.setdefault(one.kind, pd.DataFrame({"% of the way": tenth}))
        columns[annotator] = [100 * share for share in one.deciles]
    rows = [_click_row(annotator, one) for annotator, one in found]
    compared = _compared(data) if data.plan == "cases" else {}
    return ModulesInfo(compared, pd.DataFrame(rows), positions, tuple(problems))


def _compared(data: StudyData) -> dict[str, pd.DataFrame]:
    """One table for each of a paper's ("Table 7: full" is of Table 7), and one of the cases without a published row."""
    paper = f"paper@{data.threshold}"
    rows = comparison_info(data).rows.assign(**{} if data.threshold != "average" else {paper: math.nan})
    delta, score = f"Δ {data.score}", data.score
    names = {"case": "case", "seconds": "annotation s/min", "n": "n"}
    names |= {name + ending: name + ending for name in (score, "average") for ending in ("", LOW, HIGH)}
    names |= {paper: f"paper {score}", "paper selection": "paper selection"}
    names |= {"delta" + ending: delta + ending for ending in ("", LOW, HIGH)} | {"verdict": "verdict", "needs": "needs"}
    whole = rows[list(names)].rename(columns=names)
    systems = [data.cases[case] for case in whole["case"]]
    titles = [system.partition(":")[0] if system else "without a published row" for system in systems]
    return {title: whole[[one == title for one in titles]].reset_index(drop=True) for title in dict.fromkeys(titles)}


def _click_statistics(data: StudyData, problems: list[str]) -> Any:
    """(annotator, statistics) of every kind and annotator that the study's dataset has clicks of."""
    key = next(
        (key for key in data.trials["key"].unique()[:LOOKED_AT] if (data.folder(key).path / "spec.json").exists()), None
    )
    if key is None:
        return
    spec = data.spec(key)
    for kind, annotator in itertools.product(CLICKS, dict.fromkeys(itertools.chain(*spec.dataset.clicks.values()))):
        if annotator == NO_ANNOTATOR or annotator not in spec.dataset.clicks.get(kind, {}):
            continue
        try:
            yield annotator, statistics_of(data.clicks(key, kind, annotator), data.truth(key, "train"))
        except InputError as error:
            problems.extend(error.problems)


def _click_row(annotator: str, one: ClickStatistics) -> dict[str, Any]:
    return {
        "annotator": annotator, "kind": one.kind, "clicks": one.clicks, "videos": one.videos,
        "clicks a minute": one.clicks / one.minutes, "inside an instance (%)": 100 * one.inside / max(1, one.clicks),
        "gaps or instances": one.spans, "without a click (%)": 100 * one.missed / max(1, one.spans),
    }  # fmt: skip


def figures(info: ModulesInfo) -> dict[str, go.Figure]:
    return {f"position of {kind}": _position_figure(kind, table) for kind, table in info.positions.items()}


def _position_figure(kind: str, table: pd.DataFrame) -> go.Figure:
    span = "gap" if kind == BACKGROUND_CLICKS else "instance"
    drawn = figure(f"position in the {span} (%)", "share of the clicks (%)", height=320)
    for place, annotator in enumerate(table.columns[1:]):
        drawn.add_scatter(x=table["% of the way"], y=table[annotator], name=text(annotator), mode="lines+markers",
                          line={"color": COLOURS[place % len(COLOURS)], "dash": DASHES[place % len(DASHES)]},
                          marker={"symbol": MARKERS[place % len(MARKERS)], "size": 8},
                          hovertemplate="%{x} %: %{y:.1f} % of the clicks")  # fmt: skip
    drawn.update_yaxes(rangemode="tozero")
    return drawn


def tables(info: ModulesInfo) -> dict[str, pd.DataFrame]:
    clicks = {"clicks by annotator": info.clicks} if len(info.clicks) else {}
    return {**info.compared, **clicks, **{f"position of {kind}": table for kind, table in info.positions.items()}}


def layout(data: StudyData, selection: Selection) -> Any:
    found = info(data, selection)
    content: list[Any] = [
        components.table(table, title + NOTE, f"modules-{place}", bold=table["verdict"] == "reference")
        for place, (title, table) in enumerate(found.compared.items())
    ]
    if not content:
        content.append(
            components.empty("This study has no cases to set beside the papers' tables. These have:", STUDIES)
        )
    content.append(html.H2("Clicks on the training videos"))
    content += [html.P(problem, role="alert") for problem in found.problems]
    if not len(found.clicks):
        content.append(
            components.empty("No trial of this study keeps its clicks.", f"tal-search run study={data.name}")
        )
        return html.Section(content)
    content.append(components.table(found.clicks, "Clicks by annotator", "modules-clicks"))
    for place, (name, drawn) in enumerate(figures(found).items()):
        content.append(
            components.graph(
                f"modules-position-{place}", drawn, f"{name.capitalize()}, by annotator; 0 % is the start."
            )
        )
    return html.Section(content)


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """No callbacks."""
