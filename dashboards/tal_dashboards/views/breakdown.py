"""View "By class and length": which classes, and which lengths of instances, an axis helps or hurts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, get_args

import pandas as pd
import plotly.graph_objects as go
from dash import dcc, html

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.app.callbacks import attempt, redrawn
from tal_dashboards.data.group_scores import MOST_TRIALS, By, groups_of, scores_by, trials_read
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.figures.breakdown_figures import MOST_GROUPS, Breakdown, breakdown_figure
from tal_search.metrics.error_profile import TIOU
from tal_search.results.axis_effects import axis_effects
from tal_search.results.breakdown.by_group import CERTAIN, by_group, most_affected
from tal_search.results.statistics import HIGH, LOW, around

TITLE = "By class and length"
WORDS: dict[By, str] = {"class": "class", "length": "length of instance"}
NOISE = "what two single runs of the centre differ by at most, 95 times in 100"
NORMALIZED = (
    f"Buckets and normalized mAP (mAP_N at tIoU {TIOU:g}) as on the page of errors: as if all classes had equally many "
    "instances."
)
NOTHING = "No finished trial at the centre, with others beside it that differ in one axis alone."


class BreakdownInfo(NamedTuple):
    """One part an axis and grouping that has something to compare."""

    parts: list[Breakdown]


def info(data: StudyData, selection: Selection) -> BreakdownInfo:
    """Selected by `breakdown-axis` and `breakdown-by` (class, length); without one of them, all of it, for files."""
    axes = [selected_axis(data, selection)] if "breakdown-axis" in selection else list(data.axes)
    ways = [selected_by(selection)] if "breakdown-by" in selection else list(get_args(By))
    parts = [_part(data, axis, by) for axis in axes for by in ways]
    return BreakdownInfo([part for part in parts if part is not None])


def selected_axis(data: StudyData, selection: Selection) -> str:
    """The chosen axis, else the one that matters most."""
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
    """Whether the centre is there, and another value of the axis beside it."""
    centre, beside = data.is_centre(trials), data.is_centre(trials, free=(axis,))
    return bool(centre.any() and (beside & ~centre).any())


def figures(info: BreakdownInfo) -> dict[str, go.Figure]:
    return {_name(part): breakdown_figure(part) for part in info.parts}


def tables(info: BreakdownInfo) -> dict[str, pd.DataFrame]:
    """One row a group and value, in the order of the figure; every group, also those that the figure has no room for.

    The centre's rows have no difference.
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


def layout(data: StudyData, selection: Selection) -> Any:
    run = f"tal-search run study={data.name}"
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
    waiting = html.P(f"Reading what at most {MOST_TRIALS} trials keep …", className="quiet", role="status")
    content = dcc.Loading(
        html.Div(waiting, id="breakdown-content"), overlay_style={"visibility": "visible", "opacity": 0.5}
    )
    return html.Section([html.Div(controls, className="controls"), content], className="breakdown")


def _content(data: StudyData, selection: Selection) -> Any:
    chosen = {"breakdown-axis": selected_axis(data, selection), "breakdown-by": selected_by(selection)}
    found = info(data, chosen)
    if not found.parts:
        return components.empty(NOTHING, f"tal-search run study={data.name}")
    (part,), (drawn,), (table,) = found.parts, figures(found).values(), tables(found).values()
    name = f"{part.symbol} by {WORDS[part.by]}"
    return [
        html.P(answer(part), className="breakdown-answer"),
        _scrolled(part, drawn, name),
        components.table(table, f"{name}: {part.score}, difference to the centre", "breakdown-table"),
    ]


def _scrolled(part: Breakdown, drawn: go.Figure, name: str) -> html.Figure:
    """A figure that is scrolled within its box where the page is narrower than its columns."""
    size = {"height": f"{drawn.layout.height}px", "minWidth": f"{part.width}px"}
    graph = dcc.Graph(figure=drawn, id="breakdown-graph", config=style.GRAPH, style=size)
    box = html.Div(graph, className="breakdown-box", tabIndex="0", role="region", **components.labelled(name))
    return html.Figure([box, html.Figcaption(caption(part))])


def answer(part: Breakdown) -> str:
    """What the figure says, in one sentence."""
    beside = part.table[~part.table["centre"]]
    certain = beside[beside["verdict"].isin(CERTAIN)]
    tested = int(beside["p adjusted"].notna().sum())
    if not tested:
        return f"{part.symbol}: too few common repeats to tell any difference from noise; three seeds would do."
    if not len(certain):
        return f"{part.symbol}: none of {tested} differences is certain."
    words = [f"{part.symbol}: {len(certain)} of {tested} differences to the centre are certain."]
    ordered = certain.sort_values("delta", kind="stable")
    for verdict, place in (("better", -1), ("worse", 0)):
        one = ordered.iloc[place]
        if one["verdict"] == verdict:
            bounds = around(one["delta"], one["delta" + LOW], one["delta" + HIGH])
            most = f"{one['group']} at {part.symbol} = {style.value(one['value'])}"
            size = f"{one['delta']:+.1f}{bounds} points"
            words.append(f"{verdict.capitalize()}: {(certain['verdict'] == verdict).sum()}, most {most} ({size}).")
    return " ".join(words)


def caption(part: Breakdown) -> str:
    """What is drawn, from which trials, and what is left out."""
    tested = int(part.table["p adjusted"].notna().sum())
    words = [
        f"Difference in {part.score} to the centre: blue better, red worse. Full colour and bold: certain, by Holm's "
        f"correction over the {tested} differences of the table; pale: not told from noise. Noise of a {part.by}: "
        f"{NOISE}."
    ]
    if part.by == "length":
        words.append(NORMALIZED)
    if len(part.groups) > MOST_GROUPS:
        words.append(f"The {MOST_GROUPS} most affected of {len(part.groups)} classes; the table and its file have all.")
    read = f"From {part.read} of {part.finished} finished trials"
    words.append(f"{read}: those of the axis, then those nearest to the centre." if part.read < part.finished else "")
    words.append(f"{part.unread} trials keep nothing that can be read." if part.unread else "")
    return " ".join(word for word in words if word)


def register(app: Any, open_study: Callable[[], StudyData]) -> None:
    def draw(selection: Selection) -> Any:
        return attempt(lambda: _content(open_study(), selection))

    redrawn(app, "breakdown-content", draw, at_first=True)
