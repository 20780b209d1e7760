"""Timeline view: instances, clicks, activations and detections of one video over time, for one or two fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component, ComponentType
from dash.exceptions import PreventUpdate

from tal_dashboards.app import components
from tal_dashboards.app.callbacks import redrawn
from tal_dashboards.data.fits import chooser, chosen_fit, offered
from tal_dashboards.data.numbers import real
from tal_dashboards.data.study_data import Selection, StudyData
from tal_dashboards.data.tracks import MOST_DETECTIONS, OUTCOMES, Track, mask_table, track_of
from tal_dashboards.figures.timeline_figures import mask_figure, timeline_figure
from tal_dashboards.views.parts.trial_panel import ClickData
from tal_search.data.clicks.annotation_rates import labelled_videos, training_truth
from tal_search.data.clicks.click_budget import within_budget
from tal_search.data.clicks.clicks import of_videos
from tal_search.errors import InputError
from tal_search.metrics.error_profile import TIOU
from tal_search.results.next_runs import run_command
from tal_search.trial.trial_types import TrialSpec
from tal_search.types import Annotations, Detections, clicks_of

TITLE = "Timeline"
STEPS = 500  # of the slider of the moment


class TimelineInfo(NamedTuple):
    """truth: `label`, `start`, `end`; clicks: `kind`, `time`, `label` ("" for background). All in seconds, by time.

    split: test, holdout or train. whose: whose clicks they are, in words. at: the chosen moment.
    """

    video: str
    split: str
    duration: float
    classes: tuple[str, ...]
    truth: pd.DataFrame
    clicks: pd.DataFrame
    whose: str
    tracks: list[Track]
    at: float


def info(data: StudyData, selection: Selection) -> TimelineInfo | None:
    """Selection: `trial`, `other` (keys of fits), `timeline-video`, `timeline-at`. None without a finished fit."""
    first, other = chosen_fit(data, selection, lambda folder: folder.detections), selection.get("other", "")
    if first is None:
        return None
    keys = [first, other] if other in set(data.every_done["key"]) and other != first else [first]
    names = offered(data, *keys)
    test, train = data.truth(first), data.truth(first, "train")
    video = selection.get("timeline-video", "")
    video = video if video in test.videos + train.videos else surest(data.detections(first))
    truth = test if video in test.videos else train
    tracks = [track_of(data, key, names[key], video, tested=truth is test) for key in keys]
    held = truth is train and any(track.cas is not None for track in tracks)
    duration = duration_of(truth, video, tracks)
    return TimelineInfo(
        video=video,
        split="test" if truth is test else "holdout" if held else "train",
        duration=duration,
        classes=truth.classes,
        truth=instances_of(truth, video),
        clicks=clicks_on(data, first, video) if truth is train else _clicks([]),
        whose=_whose(data.spec(first)),
        tracks=tracks,
        at=moment(selection, duration),
    )


def surest(detections: Detections) -> str:
    """The video with the highest-scoring detection; the first video if nothing was detected."""
    if not len(detections.score):
        return detections.videos[0]
    return detections.videos[int(detections.video[detections.score.argmax()])]


def moment(selection: Selection, duration: float) -> float:
    """The selected second if it lies within the video, else the middle."""
    try:
        at = real(selection.get("timeline-at", ""))
    except ValueError:
        return duration / 2
    return at if 0 <= at <= duration else duration / 2


def instances_of(truth: Annotations, video: str) -> pd.DataFrame:
    rows = truth.video == truth.videos.index(video)
    labels = [truth.classes[label] for label in truth.label[rows]]
    frame = pd.DataFrame({"label": labels, "start": truth.segment[rows, 0], "end": truth.segment[rows, 1]})
    return frame.sort_values("start", kind="stable", ignore_index=True)


def _whose(spec: TrialSpec) -> str:
    """ "the clicks of A1", "the simulated clicks of S1", or "no clicks"."""
    if not clicks_of(spec.supervision):
        return "no clicks"
    return f"the {'simulated ' if spec.dataset.drawn(spec.supervision) else ''}clicks of {spec.annotator}"


def clicks_on(data: StudyData, key: str, video: str) -> pd.DataFrame:
    """The clicks on a training video that a fit was trained with: its annotator's, within its budget."""
    spec, rows = data.spec(key), []
    if video not in labelled_videos(spec.dataset, spec.annotator, spec.protocol):
        return _clicks([])
    train = training_truth(spec.dataset)
    for kind in clicks_of(spec.supervision):
        clicks = of_videos(data.clicks(key, kind, spec.annotator), train.videos)
        clicks = within_budget(spec.dataset, clicks, train.duration)
        here = clicks.video == clicks.videos.index(video)
        for time, label in zip(clicks.time[here].tolist(), clicks.label[here].tolist(), strict=True):
            rows.append((kind, time, train.classes[label] if label >= 0 else ""))
    return _clicks(rows)


def _clicks(rows: list[tuple[str, float, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["kind", "time", "label"]).sort_values("time", ignore_index=True)


def duration_of(truth: Annotations, video: str, tracks: list[Track]) -> float:
    """Seconds, from the ground truth, else the features, else the end of the last instance."""
    row = truth.videos.index(video)
    stated = [float(truth.duration[row]), *(track.end for track in tracks if track.end is not None)]
    known = [*stated, float(truth.segment[truth.video == row].max(initial=1.0))]
    return next(seconds for seconds in known if np.isfinite(seconds))


def figures(info: TimelineInfo | None) -> dict[str, go.Figure]:
    if info is None:
        return {}
    drawn, mask = {"timeline": whole_figure(info)}, mask_table(info.tracks, info.at)
    return {**drawn, "affinity mask": mask_figure(mask)} if len(mask) else drawn


def whole_figure(info: TimelineInfo) -> go.Figure:
    return timeline_figure(info.truth, info.clicks, info.tracks, info.classes, info.duration, info.at)


def tables(info: TimelineInfo | None) -> dict[str, pd.DataFrame]:
    """Instances, clicks, the detections of each fit, and the affinity mask at the chosen moment; times in seconds."""
    if info is None:
        return {}
    detections = {f"detections {place}": track.detections for place, track in enumerate(info.tracks, 1)}
    mask = mask_table(info.tracks, info.at)
    return {"instances": info.truth, "clicks": info.clicks, **detections, "affinity mask": mask}


def layout(data: StudyData, selection: Selection) -> Component:
    try:
        shown = info(data, selection)
    except InputError as error:
        return html.P(str(error), role="alert")
    if shown is None:
        return components.empty("No finished trial keeps detections yet.", run_command(data))
    key = shown.tracks[0].key
    videos = {name: f"{name} (test)" for name in data.truth(key).videos}
    videos |= {name: f"{name} (training)" for name in data.truth(key, "train").videos}
    others = {"": "none", **offered(data, selection.get("other"))}
    controls = [
        chooser(data, selection, key),
        components.select("other", "below it", others, selection.get("other", "")),
        components.select("timeline-video", "video", videos, shown.video),
    ]
    content = html.Div(_content(shown), id="timeline-content")
    mask = html.Div(_mask(shown), id="timeline-mask")
    return html.Section([html.Div(controls, className="controls"), content, mask])


def _content(shown: TimelineInfo | None) -> ComponentType:
    if shown is None:
        return html.P("The trial keeps no detections.", role="alert")
    video = {
        "test": "A test video, which has no clicks.",
        "holdout": f"A held-out training video, with {shown.whose}.",
        "train": f"A training video, with {shown.whose}; trials keep no activations of it.",
    }
    counts = "; ".join(f"{track.found} of {track.name}{_outcomes(track)}" for track in shown.tracks)
    words = (
        f"{video[shown.split]} Hit: the right class and tIoU ≥ {TIOU:g} with an instance that no higher-scoring "
        "detection matches. Wrong label: the same with another class. False: any other detection. Detections: "
        f"{counts}; the {MOST_DETECTIONS} with the highest scores are drawn. Score: what ranks detections, for most "
        "methods the mean activation inside minus that around it, plus a share of the video's; it may be negative."
    )
    slider = dcc.Slider(
        0, shown.duration, shown.duration / STEPS, value=shown.at, id=components.name_of("timeline-at"),
        marks={0: "0", shown.duration: f"{shown.duration:.0f}"}, allow_direct_input=False,
    )  # fmt: skip
    return [
        html.Div([components.opener(track.name, track.key) for track in shown.tracks]),
        components.graph("timeline-graph", whole_figure(shown), words),
        html.Div(components.chosen("moment (s)", slider), className="wide"),
    ]


def _outcomes(track: Track) -> str:
    counts = ", ".join(f"{track.counts[name]} {name}" for name in OUTCOMES if name in track.counts)
    return f" ({counts})" if counts else ""


def _mask(shown: TimelineInfo | None) -> ComponentType:
    if shown is None:
        return []
    mask = mask_table(shown.tracks, shown.at)
    if mask.empty:
        return html.P(
            "No affinity mask: the method has none, or the trial keeps none for this video.", className="quiet"
        )
    caption = (
        f"Similarity of the snippet at {shown.at:.1f} s to its neighbours, the weight of each tap of the convolution. "
        "The axis does not start at 0."
    )
    return components.graph("timeline-mask-graph", mask_figure(mask), caption)


def register(app: Dash, open_study: Callable[[], StudyData]) -> None:
    """A chosen moment moves the marker and redraws the mask; other choices redraw everything."""
    redrawn(app, "timeline-content", lambda selection: _content(info(open_study(), selection)), but="timeline-at")
    redrawn(app, "timeline-mask", lambda selection: _mask(info(open_study(), selection)))
    at = components.name_of("timeline-at")

    move = ClientsideFunction("timeline", "move")  # of assets/timeline.js
    app.clientside_callback(move, Input(at, "value"))

    @app.callback(Output(at, "value"), Input("timeline-graph", "clickData"), prevent_initial_call=True)
    def moment_of(click: ClickData | None) -> float:
        points = click.get("points") if click else None
        seconds = points[0].get("x") if points else None
        if not isinstance(seconds, int | float):
            raise PreventUpdate
        return float(seconds)
