"""Modules and clicks view: cases beside the rows of papers' ablation tables, and statistics of the clicks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, html
from dash.development.base_component import Component

from tal_dashboards.app import components
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.style import COLOURS, DASHES, MARKERS, figure, text
from tal_search.data.clicks.click_statistics import ClickStatistics, statistics_of
from tal_search.errors import InputError
from tal_search.results.case_comparison import comparison_info
from tal_search.results.next_runs import run_command
from tal_search.results.statistics import HIGH, LOW
from tal_search.text.commands import command_line, repeated
from tal_search.types import BACKGROUND_CLICKS, CLICKS, NO_ANNOTATOR

TITLE = "Modules and clicks"
LOOKED_AT = 100  # fits, in search of one whose folder still exists
NOTE = " (mAP in %; the paper's on its own features)"
TENTHS = [f"{10 * tenth} to {10 * tenth + 10}" for tenth in range(10)]
STUDIES = {"thumos_clicks": "Table 6", "thumos_modules": "Table 7", "thumos_position": "Table 8"}


class ModulesInfo(NamedTuple):
    """compared: cases beside the papers' rows, by title. clicks: one row for each annotator and kind, in percent.
    positions: by kind, the percentage of clicks in each tenth of their gap or instance, a column for each annotator.
    problems: why clicks could not be read, in sentences.
    """

    compared: dict[str, pd.DataFrame]
    clicks: pd.DataFrame
    positions: dict[str, pd.DataFrame]
    problems: tuple[str, ...]


def info(data: StudyData, selection: Selection) -> ModulesInfo:
    """The selection has no effect."""
    del selection
    problems: list[str] = []
    measured = list(_click_statistics(data, problems))
    positions: dict[str, pd.DataFrame] = {}
    for annotator, clicks in measured:
        columns = positions.setdefault(clicks.kind, pd.DataFrame({"% of the way": TENTHS}))
        columns[annotator] = [100 * share for share in clicks.deciles]
    rows = [_click_row(annotator, clicks) for annotator, clicks in measured]
    compared = _compared(data) if data.plan == "cases" else {}
    return ModulesInfo(compared, pd.DataFrame(rows), positions, tuple(problems))


def _compared(data: StudyData) -> dict[str, pd.DataFrame]:
    """Cases by the paper's table ("Table 7: full" belongs to "Table 7"); those without a published row apart."""
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
    return {str(title): rows.reset_index(drop=True) for title, rows in whole.groupby(titles, sort=False)}


def _click_statistics(data: StudyData, problems: list[str]) -> Iterator[tuple[str, ClickStatistics]]:
    """Statistics of each kind and annotator that the study's dataset has clicks of; problems: sentences are added."""
    specs = (data.known(data.spec, key) for key in data.every["key"].unique()[:LOOKED_AT])
    spec = next((spec for spec in specs if spec is not None), None)
    if spec is None:
        return
    for kind, annotator in itertools.product(CLICKS, dict.fromkeys(itertools.chain(*spec.dataset.clicks.values()))):
        if annotator == NO_ANNOTATOR or annotator not in spec.dataset.clicks.get(kind, {}):
            continue
        try:
            yield annotator, statistics_of(data.clicks(spec.key, kind, annotator), data.truth(spec.key, "train"))
        except InputError as error:
            problems.extend(error.problems)


def _click_row(annotator: str, statistics: ClickStatistics) -> dict[str, str | float]:
    return {
        "annotator": annotator, "kind": statistics.kind, "clicks": statistics.clicks, "videos": statistics.videos,
        "clicks a minute": statistics.clicks / statistics.minutes,
        "inside an instance (%)": 100 * statistics.inside / max(1, statistics.clicks),
        "gaps or instances": statistics.spans,
        "without a click (%)": 100 * statistics.missed / max(1, statistics.spans),
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


def layout(data: StudyData, selection: Selection) -> Component:
    shown = info(data, selection)
    content: list[Component] = [
        components.table(table, title + NOTE, f"modules-{place}", bold=table["verdict"] == "reference")
        for place, (title, table) in enumerate(shown.compared.items())
    ]
    if not content:
        commands = {table: command_line("run", *repeated(name, data.runs, ())) for name, table in STUDIES.items()}
        width = max(map(len, commands.values()))
        lines = "\n".join(f"{line:{width}}  # {table}" for table, line in commands.items())
        content.append(components.empty("This study has no cases to compare with papers' tables. These have:", lines))
    return html.Section([*content, *_clicks_part(data, shown)])


def _clicks_part(data: StudyData, shown: ModulesInfo) -> list[Component]:
    content = [html.H2("Clicks on the training videos"), *(html.P(text, role="alert") for text in shown.problems)]
    if not len(shown.clicks):
        empty = components.empty("No trial of this study keeps its clicks.", run_command(data))
        return [*content, empty]
    graphs = [
        components.graph(f"modules-position-{place}", drawn, f"{name.capitalize()}, by annotator; 0 % is the start.")
        for place, (name, drawn) in enumerate(figures(shown).items())
    ]
    return [*content, components.table(shown.clicks, "Clicks by annotator", "modules-clicks"), *graphs]


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """No callbacks."""
