"""Breakdown view: differences to the centre by class and by instance length, for one axis."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, get_args

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, dcc, html
from dash.development.base_component import Component, ComponentType

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.app.callbacks import redrawn
from tal_dashboards.data.group_scores import MOST_TRIALS, By, groups_of, scores_by, trials_read
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.figures.breakdown_figures import MOST_GROUPS, Breakdown, breakdown_figure
from tal_search.metrics.error_profile import TIOU
from tal_search.results.axis_effects import axis_effects
from tal_search.results.breakdown.by_group import CERTAIN, UNAVAILABLE, by_group, most_affected
from tal_search.results.next_runs import run_command
from tal_search.results.statistics import HIGH, LOW
from tal_search.text.words import around

TITLE = "By class and length"
WORDS: dict[By, str] = {"class": "class", "length": "length of instance"}
NOISE = "two single runs of the centre differ by no more than this, 95 times in 100"
NORMALIZED = (
    f"Length buckets and normalized mAP (mAP_N at tIoU {TIOU:g}, as if all classes had equally many instances) are "
    "those of the errors view."
)
NOTHING = "This needs a finished trial at the centre and others that differ from it in one axis only."


class BreakdownInfo(NamedTuple):
    """One part for each axis and grouping with values to compare."""

    parts: list[Breakdown]


def info(data: StudyData, selection: Selection) -> BreakdownInfo:
    """Selection: `breakdown-axis` and `breakdown-by` (class, length). Exports have neither: all of them."""
    axes = [selected_axis(data, selection)] if "breakdown-axis" in selection else list(data.axes)
    ways = [selected_by(selection)] if "breakdown-by" in selection else list(get_args(By))
    parts = [_part(data, axis, by) for axis in axes for by in ways]
    return BreakdownInfo([part for part in parts if part is not None])


def selected_axis(data: StudyData, selection: Selection) -> str:
    """The chosen axis, else the one with the largest effect."""
    ranked = [str(axis) for axis in axis_effects(data)["axis"]]
    wanted = selection.get("breakdown-axis", "")
    return wanted if wanted in data.axes else next(iter([*ranked, *data.axes]))


def selected_by(selection: Selection) -> By:
    return "length" if selection.get("breakdown-by") == "length" else "class"


@lru_cache(maxsize=32)
def _part(data: StudyData, axis: str, by: By) -> Breakdown | None:
    trials = trials_read(data, axis)
    if not _comparable(data, trials, axis):
        return None
    scores = scores_by(data, trials, by)
    groups = {group.name: group for group in groups_of(data, trials, by)} if len(scores) else {}
    table = by_group(data, axis, scores.reindex(columns=list(groups)))
    if not table.loc[~table["centre"].astype(bool), "delta"].notna().any():
        return None
    order = most_affected(table) if by == "class" else list(groups)
    return Breakdown(
        axis=axis, symbol=data.axes[axis], by=by, table=table, groups=[groups[name] for name in order],
        score=f"AP@{data.threshold}" if by == "class" else f"mAP_N@{TIOU:g}",
        read=len(scores), unread=len(trials) - len(scores), finished=len(data.done),
    )  # fmt: skip


def _comparable(data: StudyData, trials: pd.DataFrame, axis: str) -> bool:
    """Whether there are trials at the centre and at another value of the axis."""
    centre, beside = data.is_centre(trials), data.is_centre(trials, free=(axis,))
    return bool(centre.any() and (beside & ~centre).any())


def figures(info: BreakdownInfo) -> dict[str, go.Figure]:
    return {_name(part): breakdown_figure(part) for part in info.parts}


def tables(info: BreakdownInfo) -> dict[str, pd.DataFrame]:
    """One row for each group and value, in the figure's order but with all groups. The centre's rows have no
    difference.
    """
    return {_name(part): _table(part) for part in info.parts}


def _name(part: Breakdown) -> str:
    return f"{part.axis} by {part.by}"


def _table(part: Breakdown) -> pd.DataFrame:
    place = {group.name: index for index, group in enumerate(part.groups)}
    rows = part.table.sort_values("group", key=lambda names: names.map(place), kind="stable", ignore_index=True)
    of = {group.name: group for group in part.groups}
    heads = pd.DataFrame({WORDS[part.by]: [f"{name} {of[name].limit}".strip() for name in rows["group"]]})
    heads["instances"] = [of[name].instances for name in rows["group"]]
    heads[f"{part.symbol} ({part.axis})"] = rows["value"]
    beside = rows[["delta", "delta" + LOW, "delta" + HIGH]].astype(float).mask(rows["centre"])
    names = {"delta" + ending: f"Δ {part.score}{ending}" for ending in ("", LOW, HIGH)}
    rest = rows[["pairs", "noise", "p adjusted", "verdict"]].rename(columns={"noise": "noise (%)"})
    scores = rows[["n", "score"]].rename(columns={"score": f"{part.score} (%)"})
    return pd.concat([heads, scores, beside.rename(columns=names), rest], axis=1)


def layout(data: StudyData, selection: Selection) -> Component:
    run = run_command(data)
    if not len(data.done):
        return components.empty("No trial of this study is finished yet.", run)
    axis = selected_axis(data, selection)
    axes = {name: f"{symbol} ({name})" for name, symbol in data.axes.items()}
    controls = [
        components.select("breakdown-axis", "axis", axes, axis),
        components.select(
            "breakdown-by", "by", {str(by): words for by, words in WORDS.items()}, selected_by(selection)
        ),
    ]
    waiting = html.P(f"Reading the detections of up to {MOST_TRIALS} trials …", className="quiet", role="status")
    loading = dcc.Loading(
        html.Div(waiting, id="breakdown-content"), overlay_style={"visibility": "visible", "opacity": 0.5}
    )
    return html.Section([html.Div(controls, className="controls"), loading], className="breakdown")


def content(data: StudyData, selection: Selection) -> ComponentType:
    """The answer, the figure and the table of the chosen axis and grouping."""
    chosen = {"breakdown-axis": selected_axis(data, selection), "breakdown-by": selected_by(selection)}
    shown = info(data, chosen)
    if not shown.parts:
        return [components.empty(NOTHING, run_command(data)), *components.damage(data)]
    (part,), (drawn,), (table,) = shown.parts, figures(shown).values(), tables(shown).values()
    name = f"{part.symbol} by {WORDS[part.by]}"
    return [
        html.P(answer(part), className="breakdown-answer"),
        _scrolled(part, drawn, name),
        components.table(table, f"{name}: {part.score}, difference to the centre", "breakdown-table"),
        *components.damage(data),
    ]


def _scrolled(part: Breakdown, drawn: go.Figure, name: str) -> html.Figure:
    """The figure in a box that scrolls where the page is narrower than its columns."""
    size = {"height": f"{drawn.layout.height}px", "minWidth": f"{part.width}px"}
    graph = dcc.Graph(figure=drawn, id="breakdown-graph", config=style.GRAPH, style=size)
    box = html.Div(graph, className="breakdown-box", tabIndex="0", role="region", **components.labelled(name))
    return html.Figure([box, html.Figcaption(caption(part))])


def answer(part: Breakdown) -> str:
    """The figure's result in one sentence."""
    beside = part.table[~part.table["centre"]]
    certain = beside[beside["verdict"].isin(CERTAIN)]
    tested = int(beside["p adjusted"].notna().sum())
    if (beside["verdict"] == UNAVAILABLE).any():
        return f"{part.symbol}: intervals and verdicts of groups are {UNAVAILABLE}, as folds share training data."
    if not tested:
        return f"{part.symbol}: too few paired repeats to tell any difference from noise; run at least three seeds."
    if not len(certain):
        return f"{part.symbol}: none of {tested} differences is certain."
    words = [f"{part.symbol}: {len(certain)} of {tested} differences to the centre are certain."]
    ordered = certain.sort_values("delta", kind="stable")
    for verdict, place in (("better", -1), ("worse", 0)):
        row = ordered.iloc[place]
        if row["verdict"] == verdict:
            bounds = around(row["delta"], row["delta" + LOW], row["delta" + HIGH])
            most = f"{row['group']} at {part.symbol} = {style.value(row['value'])}"
            size = f"{row['delta']:+.1f}{bounds} points"
            words.append(f"{verdict.capitalize()}: {(certain['verdict'] == verdict).sum()}, most {most} ({size}).")
    return " ".join(words)


def caption(part: Breakdown) -> str:
    """How to read the figure, the trials behind it, and what it leaves out."""
    tested = int(part.table["p adjusted"].notna().sum())
    certain = (
        f"Full colour and bold: certain, by Holm's correction over the {tested} differences of the table; pale: within "
        f"noise. Noise of a {part.by}: {NOISE}."
    )
    folded = (part.table["verdict"] == UNAVAILABLE).any()
    words = [
        f"Difference in {part.score} to the centre: blue better, red worse.",
        f"Pale: its interval and verdict are {UNAVAILABLE}." if folded else certain,
    ]
    if part.by == "length":
        words.append(NORMALIZED)
    if len(part.groups) > MOST_GROUPS:
        words.append(f"The {MOST_GROUPS} most affected of {len(part.groups)} classes; the table and its file have all.")
    read = f"From {part.read} of {part.finished} finished trials"
    words.append(f"{read}: those of the axis, then those nearest to the centre." if part.read < part.finished else "")
    words.append(f"{part.unread} trials have no readable detections." if part.unread else "")
    return " ".join(word for word in words if word)


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """Choosing an axis or a grouping redraws the content."""
    redrawn(app, "breakdown-content", lambda selection: content(open_study(), selection), at_first=True)
