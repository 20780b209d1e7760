"""Overview view, the first tab: which axes matter, by how much, whether that exceeds noise, and what to run next."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, html
from dash.development.base_component import Component

from tal_dashboards.app import components
from tal_dashboards.data.progress import progress, seconds_left
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.figures.overview_figure import MOST_ROWS, overview_figure
from tal_search.record.overview import is_held
from tal_search.results.next_runs import command, run_command
from tal_search.results.overview import Overview, answer, overview, ranking_table
from tal_search.results.search.marginal_effects import METHOD
from tal_search.types import written_axis

TITLE = "Overview"


class OverviewInfo(NamedTuple):
    """found: see `results.overview`; progress: trials by state; seconds_left: None if unknown."""

    found: Overview
    progress: pd.DataFrame
    seconds_left: float | None


def info(data: StudyData, selection: Selection) -> OverviewInfo:
    """The selection has no effect."""
    del selection
    return OverviewInfo(overview(data), progress(data), seconds_left(data))


def figures(info: OverviewInfo) -> dict[str, go.Figure]:
    return {"overview": overview_figure(info.found)} if len(info.found.ranking) else {}


def tables(info: OverviewInfo) -> dict[str, pd.DataFrame]:
    """Ranking and values as in `results.overview`, values in words; and the runs to do next, if any."""
    found = info.found
    steps = pd.DataFrame([{**step._asdict(), "decides": ", ".join(step.decides)} for step in found.next])
    return {"ranking": found.ranking, "values": shown_values(found), **({"next": steps} if len(steps) else {})}


def shown_values(found: Overview) -> pd.DataFrame:
    """`Overview.curves` with the values in words."""
    words = found.curves.groupby("name", sort=False)["value"].transform(lambda values: written_axis(values))
    return found.curves.assign(value=words)


def layout(data: StudyData, selection: Selection) -> Component:
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", run_command(data))
    shown = info(data, selection)
    found = shown.found
    return html.Section([
        html.Div([html.P(sentence) for sentence in answer(found)], className="answer", id="overview-answer"),
        *_graph(found),
        *_next([*_left(data, shown), *found.steps]),
        components.tiles("overview-progress", shown.progress, shown.seconds_left),
        components.table(ranking_table(found), f"The same in points of {found.score}", "overview-table"),
    ])  # fmt: skip


def _graph(found: Overview) -> list[Component]:
    if not len(found.ranking):
        return []
    return [components.graph("overview-graph", overview_figure(found), caption(found))]


def caption(found: Overview) -> str:
    """How to read the figure."""
    if found.rows == "marginal":
        return (
            f"Left: marginal effects on {found.score} relative to the centre: {METHOD}, coloured where that excludes "
            "0. Right: the same by value on one scale, ● the centre. A model of the search's cells, not a test."
        )
    beside = "reference" if found.rows == "case" else "centre"
    band = f"Grey band: the noise floor, ± {found.noise:.1f} points, by which two single runs differ. "
    band = f"The noise floor is not known: the {beside} has too few repeats. " if math.isnan(found.noise) else band
    paper = "; ◇: published" if found.curves["paper"].notna().any() else ""
    ends = "the difference" if found.rows == "case" else "the worst and the best value's difference"
    more = f" The first {MOST_ROWS} of {len(found.ranking)}." if len(found.ranking) > MOST_ROWS else ""
    return (
        f"Left: {ends} to the {beside}, coloured where it is more than noise, with 95 % intervals corrected for all "
        f"cells of the study. {band}Right: mean {found.score} by value on one scale, ● the {beside}{paper}.{more}"
    )


def _left(data: StudyData, found: OverviewInfo) -> list[tuple[str, str]]:
    """The step that continues a stopped study: its trials that are left and that no driver runs."""
    count = dict(found.progress.itertuples(index=False, name=None)).get("remaining", 0)
    if not count or is_held(data.runs / data.name):
        return []
    return [(f"{count} trials of the study were not run; the same command continues it", command(data))]


def _next(steps: list[tuple[str, str]]) -> list[Component]:
    """Sentences, each with its command."""
    if not steps:
        return []
    content: list[Component] = [html.H2("What to run next")]
    for words, line in steps:
        content += [html.P(f"{words}{':' if line else '.'}")]
        content += [html.Pre(html.Code(line), tabIndex="0")] if line else []
    return [html.Div(content, id="overview-next")]


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """No callbacks."""
