"""What one fit makes of one video: activations, affinity, and detections with what the evaluation makes of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tal_dashboards.data.inference_settings import own_inference
from tal_dashboards.data.study_data import StudyData
from tal_search.localization.activations import Activations
from tal_search.localization.localize import localize
from tal_search.metrics.error_profile import KINDS, detection_kinds
from tal_search.types import Detections, Floats

MOST_DETECTIONS = 200  # of a video and fit, the best
NOT_SCORED = "not scored"  # ignored by the protocol, or of a class that no instance has
OUTCOMES = {
    "hit": KINDS[:1],
    "wrong label": ("wrong label",),
    "false": ("double detection", "localization", "confusion", "background"),
    NOT_SCORED: (NOT_SCORED,),
}
"""Outcome of a detection → kinds of `metrics.error_profile`."""
SATURATED = 0.02  # of the similarities at either end, beyond the colours


class Track(NamedTuple):
    """What one fit, `name` in words, makes of the video, whose features last `duration` seconds.

    cas [C+1, T], the background last, and affinity [h, T], the similarity of a snippet with its h neighbours; None
    where the fit keeps none of this video, or its method has none. detections: `label`, `start`, `end` (seconds),
    `score`, `kind` (of KINDS, or NOT_SCORED), the best first; counts: of all, by outcome.
    """

    key: str
    name: str
    duration: float | None
    cas: Floats | None
    affinity: Floats | None
    detections: pd.DataFrame
    counts: dict[str, int]

    @property
    def found(self) -> int:
        """How many detections there are."""
        return sum(self.counts.values())


def counted(kinds: pd.Series[str]) -> dict[str, int]:
    """How many detections have each outcome that one of them has."""
    counts = {name: int(kinds.isin(of).sum()) for name, of in OUTCOMES.items()}
    return {name: count for name, count in counts.items() if count}


def track_of(data: StudyData, key: str, name: str, video: str, *, tested: bool) -> Track:
    """Detections are localized from the kept activations at the study's settings, or read where it keeps none."""
    kept = activations_of(data, key, video, tested)
    if kept is None:
        recorded = tested and data.folder(key).detections.exists()
        found = judged(data, key, data.detections(key), video, tested) if recorded else _detections({})
        return Track(key, name, None, None, None, found.head(MOST_DETECTIONS), counted(found["kind"]))
    found = judged(data, key, localize(kept, data.truth(key).classes, own_inference(data, key)), video, tested)
    mask = None if kept.affinity is None else kept.affinity[0].astype(np.float64)
    cas, counts = kept.cas[0].astype(np.float64), counted(found["kind"])
    return Track(key, name, float(kept.duration[0]), cas, mask, found.head(MOST_DETECTIONS), counts)


def judged(data: StudyData, key: str, detections: Detections, video: str, tested: bool) -> pd.DataFrame:
    """The detections of a video, each with what the evaluation makes of it."""
    truth, protocol = data.truth(key, "test" if tested else "train"), data.spec(key).protocol["evaluation"]
    kinds = np.array([*KINDS, NOT_SCORED])[detection_kinds(truth, detections, protocol=protocol)]
    return detections_in(detections, video, kinds)


def activations_of(data: StudyData, key: str, video: str, tested: bool) -> Activations | None:
    """Those of one video alone."""
    folder = data.folder(key)
    if not (folder.cas if tested else folder.holdout_cas).exists():
        return None
    kept = data.activations(key, "test" if tested else "holdout")
    return kept.of_video(video) if video in kept.videos else None


def detections_in(detections: Detections, video: str, kind: np.ndarray) -> pd.DataFrame:
    """Of one video, by falling score; kind: of every detection."""
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


def _detections(columns: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(columns, columns=["label", "start", "end", "score", "kind"])


def similarity_range(tracks: Sequence[Track]) -> tuple[float, float]:
    """What the colours of similarities span: those with neighbours, which often lie close together, without the few at
    either end. A snippet's similarity with itself is 1 and left out.
    """
    masks = [track.affinity for track in tracks if track.affinity is not None]
    others = [np.delete(mask, len(mask) // 2, axis=0).ravel() for mask in masks if len(mask) > 1]
    if not others:
        return -1.0, 1.0
    low, high = np.quantile(np.concatenate(others), [SATURATED, 1 - SATURATED]).tolist()
    return round(low, 2), max(round(high, 2), round(low, 2) + 0.01)


def offsets(track: Track) -> list[int]:
    """Of the neighbours of a snippet, in snippets."""
    assert track.affinity is not None
    return [tap - len(track.affinity) // 2 for tap in range(len(track.affinity))]


def mask_table(tracks: list[Track], at: float) -> pd.DataFrame:
    """Of the snippet at a second: `trial`, `neighbour` (how many snippets away), `seconds` (its centre), `similarity`.

    Neighbours outside the video are left out.
    """
    rows = []
    for track in tracks:
        if track.affinity is None or track.duration is None:
            continue
        snippets = track.affinity.shape[1]
        here = min(int(at / track.duration * snippets), snippets - 1)
        for offset, value in zip(offsets(track), track.affinity[:, here].tolist(), strict=True):
            if 0 <= here + offset < snippets:
                rows.append((track.name, offset, (here + offset + 0.5) * track.duration / snippets, value))
    return pd.DataFrame(rows, columns=["trial", "neighbour", "seconds", "similarity"])
