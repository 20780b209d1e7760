"""View 8: one video over time: its instances and clicks, and what one fit or two make of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboards.data import Selection, StudyData
from tal_search.localization import Activations, Inference, localize
from tal_search.types import Annotations, Detections, Floats, clicks_of

TITLE = "Timeline"
MOST_DETECTIONS = 200  # of a video and fit, the best


class Track(NamedTuple):
    """What one fit makes of the video.

    cas [C+1, T], the background last, and affinity [h, T], the similarity of a snippet with its h neighbours; None
    where the fit keeps none of this video, or its method has none. detections: `label`, `start`, `end`, `score`, the
    best first; found: how many there are.
    """

    key: str
    cas: Floats | None
    affinity: Floats | None
    detections: pd.DataFrame
    found: int


class TimelineInfo(NamedTuple):
    """truth: `label`, `start`, `end`; clicks: `kind`, `time`, `label` ("" for background): seconds, by time.

    split: test, holdout or train. annotator: of the clicks. at: the chosen moment in seconds.
    """

    video: str
    split: str
    duration: float
    classes: tuple[str, ...]
    truth: pd.DataFrame
    clicks: pd.DataFrame
    annotator: str
    tracks: list[Track]
    at: float


def info(data: StudyData, selection: Selection) -> TimelineInfo | None:
    """Selected by `trial`, `other` (keys of fits), `timeline-video` and `timeline-at`; None without a finished fit."""
    done = data.done
    if done.empty:
        return None
    known = set(done["key"])
    first = selection.get("trial", "")
    if first not in known:
        first = [*done.loc[data.is_centre(done), "key"], *done["key"]][0]
    keys = [first, *[key for key in [selection.get("other", "")] if key in known and key != first]]
    test, train = data.truth(first), data.truth(first, "train")
    video = selection.get("timeline-video", "")
    video = video if video in test.videos + train.videos else test.videos[0]
    truth = test if video in test.videos else train
    tracks = [track_of(data, key, video, truth is test) for key in keys]
    held = truth is train and any(track.cas is not None for track in tracks)
    duration = _duration(data, first, truth, video)
    return TimelineInfo(
        video=video,
        split="test" if truth is test else "holdout" if held else "train",
        duration=duration,
        classes=truth.classes,
        truth=instances_of(truth, video),
        clicks=clicks_on(data, first, video) if truth is train else _clicks([]),
        annotator=data.spec(first).annotator,
        tracks=tracks,
        at=moment(selection, duration),
    )


def moment(selection: Selection, duration: float) -> float:
    """The selected second, where it is one of the video; else the middle."""
    try:
        at = float(selection.get("timeline-at", ""))
    except ValueError:
        return duration / 2
    return at if 0 <= at <= duration else duration / 2


def instances_of(truth: Annotations, video: str) -> pd.DataFrame:
    rows = truth.video == truth.videos.index(video)
    labels = [truth.classes[label] for label in truth.label[rows]]
    frame = pd.DataFrame({"label": labels, "start": truth.segment[rows, 0], "end": truth.segment[rows, 1]})
    return frame.sort_values("start", kind="stable", ignore_index=True)


def clicks_on(data: StudyData, key: str, video: str) -> pd.DataFrame:
    """The clicks that a fit reads of a training video, of its own annotator."""
    spec, rows = data.spec(key), []
    for kind in clicks_of(spec.supervision):
        clicks = data.clicks(key, kind, spec.annotator)
        here = clicks.video == clicks.videos.index(video)
        classes = data.truth(key, "train").classes
        for time, label in zip(clicks.time[here].tolist(), clicks.label[here].tolist(), strict=True):
            rows.append((kind, time, classes[label] if label >= 0 else ""))
    return _clicks(rows)


def _clicks(rows: list[tuple[str, float, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["kind", "time", "label"]).sort_values("time", ignore_index=True)


def track_of(data: StudyData, key: str, video: str, tested: bool) -> Track:
    """Detections are localized from the kept activations at the fit's own settings, or read where it keeps none."""
    kept = activations_of(data, key, video, tested)
    classes, inference = data.truth(key).classes, data.spec(key).inference
    if kept is not None:
        found = detections_in(localize(kept, classes, Inference(**inference)), video)
        affinity = None if kept.affinity is None else kept.affinity[0].astype(np.float64)
        return Track(key, kept.cas[0].astype(np.float64), affinity, found.head(MOST_DETECTIONS), len(found))
    recorded = tested and data.folder(key).detections.exists()
    found = detections_in(data.detections(key), video) if recorded else _detections({})
    return Track(key, None, None, found.head(MOST_DETECTIONS), len(found))


def activations_of(data: StudyData, key: str, video: str, tested: bool) -> Activations | None:
    """Those of one video alone."""
    folder = data.folder(key)
    if not (folder.cas if tested else folder.holdout_cas).exists():
        return None
    kept = data.activations(key, "test" if tested else "holdout")
    return kept.of_video(video) if video in kept.videos else None


def detections_in(detections: Detections, video: str) -> pd.DataFrame:
    """Of one video, by falling score."""
    rows = np.flatnonzero(detections.video == detections.videos.index(video))
    rows = rows[np.argsort(-detections.score[rows], kind="stable")]
    return _detections(
        {
            "label": [detections.classes[label] for label in detections.label[rows]],
            "start": detections.segment[rows, 0],
            "end": detections.segment[rows, 1],
            "score": detections.score[rows],
        }
    )


def _detections(columns: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(columns, columns=["label", "start", "end", "score"])


def _duration(data: StudyData, key: str, truth: Annotations, video: str) -> float:
    """Of the ground truth, or, where it has none, the end of the last instance."""
    row = truth.videos.index(video)
    stated = float(truth.duration[row])
    return stated if np.isfinite(stated) else float(truth.segment[truth.video == row].max(initial=1.0))
