"""One fit's output on one video: activations, affinity mask, and detections with their outcome in the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from tal_dashboards.data.inference_settings import own_inference
from tal_dashboards.data.study_data import StudyData
from tal_search.localization.activations import Activations
from tal_search.localization.localize import localize
from tal_search.metrics.error_profile import KINDS, detection_kinds
from tal_search.timeline import Timeline
from tal_search.types import Detections, Floats

MOST_DETECTIONS = 200  # of a video and fit, those with the highest scores
NOT_SCORED = "not scored"  # ignored by the protocol, or of a class without instances
OUTCOMES = {
    "hit": KINDS[:1],
    "wrong label": ("wrong label",),
    "false": ("double detection", "localization", "confusion", "background"),
    NOT_SCORED: (NOT_SCORED,),
}
"""Outcome of a detection → kinds of `metrics.error_profile`."""
SATURATED = 0.02  # fraction of the similarities beyond either end of the colour scale


class Track(NamedTuple):
    """The output of the fit `key` (`name` in words) on a video; times: of its snippets, None without activations.

    cas [C+1, T], background last, and affinity [h, T], similarities of a snippet with its h neighbours; None if not
    stored for this video or not defined by the method. detections: `label`, `start`, `end` (seconds), `score`, `kind`
    (one of KINDS or NOT_SCORED), sorted by score; counts: of all detections, by outcome.
    """

    key: str
    name: str
    times: Timeline | None
    cas: Floats | None
    affinity: Floats | None
    detections: pd.DataFrame
    counts: dict[str, int]

    @property
    def end(self) -> float | None:
        """Seconds at the end of its last snippet."""
        return None if self.times is None else (self.times.start + self.times.extent).item()

    @property
    def found(self) -> int:
        """The number of detections."""
        return sum(self.counts.values())


def counted(kinds: pd.Series[str]) -> dict[str, int]:
    """Numbers of detections by outcome, without zeros."""
    counts = {name: int(kinds.isin(of).sum()) for name, of in OUTCOMES.items()}
    return {name: count for name, count in counts.items() if count}


def track_of(data: StudyData, key: str, name: str, video: str, *, tested: bool) -> Track:
    """The track of a fit; detections are localized from stored activations at the study's settings, else read."""
    stored = activations_of(data, key, video, tested)
    if stored is None:
        recorded = tested and data.folder(key).detections.exists()
        table = judged(data, key, data.detections(key), video, tested) if recorded else _detections({})
        return Track(key, name, None, None, None, table.head(MOST_DETECTIONS), counted(table["kind"]))
    table = judged(data, key, localize(stored, data.truth(key).classes, own_inference(data, key)), video, tested)
    mask = None if stored.affinity is None else stored.affinity[0].astype(np.float64)
    cas, counts = stored.cas[0].astype(np.float64), counted(table["kind"])
    return Track(key, name, stored.timeline, cas, mask, table.head(MOST_DETECTIONS), counts)


def judged(data: StudyData, key: str, detections: Detections, video: str, tested: bool) -> pd.DataFrame:
    """The detections of a video with their `kind` in the evaluation."""
    truth, protocol = data.truth(key, "test" if tested else "train"), data.spec(key).protocol["evaluation"]
    kinds = np.array([*KINDS, NOT_SCORED])[detection_kinds(truth, detections, protocol=protocol)]
    return detections_in(detections, video, kinds)


def activations_of(data: StudyData, key: str, video: str, tested: bool) -> Activations | None:
    """Stored activations of one video, None without them."""
    folder = data.folder(key)
    if not (folder.cas if tested else folder.holdout_cas).exists():
        return None
    stored = data.activations(key, "test" if tested else "holdout")
    return stored.of_video(video) if video in stored.videos else None


def detections_in(detections: Detections, video: str, kind: np.ndarray) -> pd.DataFrame:
    """The detections of one video, sorted by score; kind: of every detection."""
    rows = np.flatnonzero(detections.video == detections.videos.index(video))
    rows = rows[np.argsort(-detections.score[rows], kind="stable")]
    return _detections(
        {
            "label": [detections.classes[label] for label in detections.label[rows]],
            "start": detections.segment[rows, 0],
            "end": detections.segment[rows, 1],
            "score": detections.score[rows],
            "kind": kind[rows],
        }
    )


def _detections(columns: Mapping[str, Sequence[str] | np.ndarray]) -> pd.DataFrame:
    return pd.DataFrame(columns, columns=["label", "start", "end", "score", "kind"])


def similarity_range(tracks: Sequence[Track]) -> tuple[float, float]:
    """Range of the colour scale: quantiles of the similarities with neighbours, which are often close together. A
    snippet's similarity with itself, always 1, is left out.
    """
    masks = [track.affinity for track in tracks if track.affinity is not None]
    others = [np.delete(mask, len(mask) // 2, axis=0).ravel() for mask in masks if len(mask) > 1]
    if not others:
        return -1.0, 1.0
    low, high = np.quantile(np.concatenate(others), [SATURATED, 1 - SATURATED]).tolist()
    return round(low, 2), max(round(high, 2), round(low, 2) + 0.01)


def offsets(track: Track) -> list[int]:
    """Offsets of a snippet's neighbours, in snippets."""
    assert track.affinity is not None
    return [tap - len(track.affinity) // 2 for tap in range(len(track.affinity))]


def mask_table(tracks: list[Track], at: float) -> pd.DataFrame:
    """Similarities of the snippet at `at` seconds: `trial`, `neighbour` (offset in snippets), `seconds` (its centre),
    `similarity`; without neighbours outside the video.
    """
    rows, video = [], np.zeros(1, np.int64)
    for track in tracks:
        if track.affinity is None or track.times is None:
            continue
        here = track.times.snippets(video, np.array([at])).item()
        for offset, value in zip(offsets(track), track.affinity[:, here].tolist(), strict=True):
            if 0 <= here + offset < track.affinity.shape[1]:
                seconds = track.times.seconds(video, np.array([here + offset + 0.5])).item()
                rows.append((track.name, offset, seconds, value))
    return pd.DataFrame(rows, columns=["trial", "neighbour", "seconds", "similarity"])
