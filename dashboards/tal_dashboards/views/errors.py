"""Errors view: kinds of false detections of one fit, and the instances that it misses."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, html
from dash.development.base_component import Component, ComponentType

from tal_dashboards import style
from tal_dashboards.app import components
from tal_dashboards.app.callbacks import attempt, redrawn
from tal_dashboards.data.fits import chooser, chosen_fit, offered
from tal_dashboards.data.inference_settings import detections_at, own_inference
from tal_dashboards.data.study_data import Selection, StudyData
from tal_search.metrics.error_profile import ERRORS, KINDS, ErrorProfile, error_profile
from tal_search.results.next_runs import run_command

TITLE = "Errors"
CAPTIONS = {
    "false positives": "Kinds of detections by falling score; G: as many detections as a class has instances.",
    "gain from removing errors": "Gain in mAP if all detections of one kind were removed.",
}
CHARACTERISTICS = {
    "length": "length (s)",
    "coverage": "coverage (share of the video)",
    "instances": "instances in the video",
}
COLOURS = dict(zip(KINDS, ("#009E73", "#0072B2", "#CC79A7", "#E69F00", "#D55E00", "#B0B0B0"), strict=True))
PATTERNS = dict(zip(KINDS, ("", "/", "x", "\\", "-", "."), strict=True))  # so that kinds differ without colour


class ErrorsInfo(NamedTuple):
    """profile: of the fit's test detections at the study's inference settings and tIoU 0.5, as in `evaluate`."""

    key: str
    profile: ErrorProfile


def info(data: StudyData, selection: Selection) -> ErrorsInfo | None:
    """Selection: `trial` (the key of a fit). None if no finished fit keeps detections."""
    key = chosen_fit(data, selection, lambda folder: folder.detections)
    if key is None:
        return None
    protocol = data.spec(key).protocol["evaluation"]
    detections = detections_at(data, key, own_inference(data, key))
    profile = error_profile(data.truth(key), detections, subset="test", protocol=protocol)
    return ErrorsInfo(key, profile)


def breakdown(profile: ErrorProfile) -> pd.DataFrame:
    """DETAD's columns: for the n-th G detections by score (`times` n), each kind's share in percent and the total."""
    rows, before = [], dict.fromkeys(KINDS, 0)
    for top in profile.top:
        here = {kind: top.counts[kind] - before[kind] for kind in KINDS}
        total = sum(here.values())
        rows.append(
            {"times": top.times, "detections": total}
            | {kind: 100 * here[kind] / total if total else 0.0 for kind in KINDS}
        )
        before = top.counts
    return pd.DataFrame(rows)


def gains(profile: ErrorProfile) -> pd.DataFrame:
    """Gain in mAP (points) if all detections of one kind were removed, and their number."""
    rows = [(kind, 100 * profile.gain[kind], profile.counts[kind]) for kind in ERRORS]
    return pd.DataFrame(rows, columns=["error", "gain", "detections"])


def instances(profile: ErrorProfile) -> pd.DataFrame:
    """One row for each bucket: `characteristic`, `bucket`, limits, `instances`, `missed`, both scores in percent."""
    rows = [
        {
            "characteristic": name,
            "bucket": bucket.name,
            "above": bucket.low,
            "at most": bucket.high,
            "instances": bucket.instances,
            "missed": bucket.missed,
            "missed share": None if bucket.missed_share is None else 100 * bucket.missed_share,
            "normalized mAP": None if bucket.normalized_mAP is None else 100 * bucket.normalized_mAP,
        }
        for name, buckets in profile.buckets.items()
        for bucket in buckets
    ]
    return pd.DataFrame(rows).astype({"missed share": float, "normalized mAP": float})


def tables(info: ErrorsInfo | None) -> dict[str, pd.DataFrame]:
    if info is None:
        return {}
    shown = (table.round(2) for table in (breakdown(info.profile), gains(info.profile), instances(info.profile)))
    return dict(zip(("false positives", "gain from removing errors", "instances"), shown, strict=True))


def figures(info: ErrorsInfo | None) -> dict[str, go.Figure]:
    if info is None:
        return {}
    profile = info.profile
    drawn = {"false positives": breakdown_figure(profile), "gain from removing errors": gain_figure(profile)}
    for group, rows in instances(profile).groupby("characteristic", sort=False):
        name, overall = str(group), 100 * profile.normalized_mAP
        drawn[f"{name}: mAP_N"] = bucket_figure(name, rows, "normalized mAP", "mAP_N (%)", overall)
        drawn[f"{name}: missed"] = bucket_figure(name, rows, "missed share", "missed instances (%)", None)
    return drawn


def breakdown_figure(profile: ErrorProfile) -> go.Figure:
    """Shares of the kinds among the first G detections of each class, the second G, …, the tenth G."""
    table = breakdown(profile)
    drawn = style.figure("detections by falling score (G)", "share of the detections (%)")
    for kind in KINDS:
        drawn.add_bar(
            x=[f"{times}G" for times in table["times"]], y=table[kind], name=kind,
            marker={"color": COLOURS[kind], "pattern": {"shape": PATTERNS[kind]}}, customdata=table["detections"],
            hovertemplate="%{x}: %{y:.1f} % of %{customdata}<extra>" + kind + "</extra>",
        )  # fmt: skip
    drawn.update_layout(barmode="stack")
    drawn.update_xaxes(type="category")
    return drawn


def gain_figure(profile: ErrorProfile) -> go.Figure:
    table = gains(profile)
    drawn = style.figure("removed", f"gain in mAP@{profile.tiou:g} (points)")
    drawn.add_bar(
        x=table["error"], y=table["gain"], customdata=table["detections"], showlegend=False,
        marker={"color": [COLOURS[kind] for kind in ERRORS]}, texttemplate="%{y:.1f}",
        hovertemplate="%{x}: %{y:.2f} points, %{customdata} detections<extra></extra>",
    )  # fmt: skip
    return drawn


def bucket_figure(name: str, rows: pd.DataFrame, column: str, title: str, overall: float | None) -> go.Figure:
    """One bar for each bucket; overall: the score over all instances, a dashed line."""
    drawn = style.figure(CHARACTERISTICS[name], title, height=320)
    drawn.add_bar(
        x=[_limits(row) for row in rows.to_dict("records")], y=rows[column], customdata=rows[["instances", "missed"]],
        marker={"color": style.COLOURS[0]}, texttemplate="%{y:.1f}", showlegend=False,
        hovertemplate="%{x}: %{y:.1f} %, %{customdata[0]} instances, %{customdata[1]} missed<extra></extra>",
    )  # fmt: skip
    if overall is not None:
        drawn.add_hline(overall, line={"color": style.INK, "dash": "dash", "width": 1})
    drawn.update_xaxes(type="category")
    drawn.update_yaxes(rangemode="tozero")
    return drawn


def _limits(row: Mapping[Hashable, float | str]) -> str:
    """A bucket's name and its upper limit; of the last bucket the lower limit."""
    last = row["at most"] == float("inf")
    return f"{row['bucket']} (> {row['above']:g})" if last else f"{row['bucket']} (≤ {row['at most']:g})"


def layout(data: StudyData, selection: Selection) -> Component:
    key = chosen_fit(data, selection, lambda folder: folder.detections)
    if key is None:
        return components.empty("No finished trial keeps detections yet.", run_command(data))
    content = html.Div(attempt(lambda: _content(data, selection)), id="errors-content")
    return html.Section([html.Div([chooser(data, selection, key)], className="controls"), content])


def _content(data: StudyData, selection: Selection) -> ComponentType:
    shown = info(data, selection)
    if shown is None:
        return html.P("The trial keeps no detections.", role="alert")
    profile = shown.profile
    words = (
        f"Test detections at tIoU {profile.tiou:g}, protocol {profile.protocol}: mAP {100 * profile.mAP:.1f} %; mAP_N "
        f"{100 * profile.normalized_mAP:.1f} %, as if all classes had equally many instances. Kinds of errors after "
        f"Alwassel et al. (ECCV 2018), buckets of {profile.edges}."
    )
    graphs = [
        components.graph(f"errors-{place}", drawn, CAPTIONS.get(name, name))
        for place, (name, drawn) in enumerate(figures(shown).items())
    ]
    below = [
        components.table(table, name, f"errors-table-{place}")
        for place, (name, table) in enumerate(tables(shown).items())
    ]
    opener = components.opener(offered(data, shown.key)[shown.key], shown.key)
    return [opener, html.P(words), html.Div(graphs, className="figures"), *below]


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """Choosing another fit redraws the content."""
    redrawn(app, "errors-content", lambda selection: _content(open_study(), selection))
