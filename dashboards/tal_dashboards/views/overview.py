"""The overview, the first view: which axes matter, by how much, is it more than noise, and what to run next."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import html

from tal_dashboards.app import components
from tal_dashboards.data.progress import progress, seconds_left
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.figures.overview_figure import MOST_ROWS, overview_figure
from tal_search.record.overview import is_held
from tal_search.results.next_runs import command
from tal_search.results.overview import Overview, answer, overview, ranking_table
from tal_search.results.search.marginal_effects import METHOD
from tal_search.types import written_axis

TITLE = "Overview"


class OverviewInfo(NamedTuple):
    """found: see `results.overview`; progress: trials by state; seconds_left: None where nothing tells."""

    found: Overview
    progress: pd.DataFrame
    seconds_left: float | None


def info(data: StudyData, selection: Selection) -> OverviewInfo:
    """Nothing is chosen here."""
    del selection
    return OverviewInfo(overview(data), progress(data), seconds_left(data))


def figures(info: OverviewInfo) -> dict[str, go.Figure]:
    return {"overview": overview_figure(info.found)} if len(info.found.ranking) else {}


def tables(info: OverviewInfo) -> dict[str, pd.DataFrame]:
    """The ranking and the values behind it, as `results.overview` has them, values in words; and what to run next."""
    found = info.found
    steps = [step._replace(decides=", ".join(step.decides)) for step in found.next]  # type: ignore[arg-type]
    return {
        "ranking": found.ranking, "values": shown_values(found),
        **({"next": pd.DataFrame(steps)} if steps else {}),
    }  # fmt: skip


def shown_values(found: Overview) -> pd.DataFrame:
    """`curves`, each axis' values in words."""
    words = found.curves.groupby("name", sort=False)["value"].transform(lambda values: written_axis(values))
    return found.curves.assign(value=words)


def layout(data: StudyData, selection: Selection) -> Any:
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", f"tal-search run study={data.name}")
    found = info(data, selection)
    return html.Section([
        html.Div([html.P(sentence) for sentence in answer(found.found)], className="answer", id="overview-answer"),
        *_drawn(found.found),
        *_next([*_left(data, found), *found.found.steps]),
        components.tiles("overview-progress", found.progress, found.seconds_left),
        components.table(ranking_table(found.found), f"The same in points of {found.found.score}", "overview-table"),
    ])  # fmt: skip


def _drawn(found: Overview) -> list[Any]:
    if not len(found.ranking):
        return []
    return [components.graph("overview-graph", overview_figure(found), caption(found))]


def caption(found: Overview) -> str:
    """What the figure draws, in words."""
    if found.rows == "marginal":
        return (
            f"Left: marginal effects on {found.score} beside the centre: {METHOD}, coloured where that leaves out 0. "
            "Right: the same by value on one scale, ● the centre. A model of the search's cells, not a test."
        )
    beside = "reference" if found.rows == "case" else "centre"
    band = f"Grey band: the noise floor, ± {found.noise:.1f} points, by which two single runs differ. "
    band = "The noise floor is not known: no setting has two runs. " if math.isnan(found.noise) else band
    paper = "; ◇: published" if found.curves["paper"].notna().any() else ""
    ends = "the difference" if found.rows == "case" else "the worst and the best value's difference"
    more = f" The first {MOST_ROWS} of {len(found.ranking)}." if len(found.ranking) > MOST_ROWS else ""
    return (
        f"Left: {ends} to the {beside}, coloured where it is more than noise, with 95 % intervals corrected for all "
        f"cells of the study. {band}Right: mean {found.score} by value on one scale, ● the {beside}{paper}.{more}"
    )


def _left(data: StudyData, found: OverviewInfo) -> list[tuple[str, str]]:
    """What continues a study that was stopped: its trials that no one runs now."""
    count = dict(found.progress.itertuples(index=False, name=None)).get("remaining", 0)
    if not count or is_held(data.runs / data.name):
        return []
    return [(f"{count} trials of the study were not run; the same command continues it", command(data))]


def _next(steps: list[tuple[str, str]]) -> list[Any]:
    """Sentences, each with its command."""
    if not steps:
        return []
    content: list[Any] = [html.H2("What to run next")]
    for words, line in steps:
        content += [html.P(f"{words}{':' if line else '.'}")]
        content += [html.Pre(html.Code(line), tabIndex="0")] if line else []
    return [html.Div(content, id="overview-next")]


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    """No callbacks."""
