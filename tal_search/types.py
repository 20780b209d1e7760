"""The words of the project: plain, frozen records that every layer shares.

Shape suffixes used throughout: N videos of a set, B videos of a batch, D feature channels, T snippets,
C action classes (background is one extra class, index C). Times are seconds.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Source = Literal["features", "simulated"]

# What a video may be annotated with, by the words that files, keys and tables use.
VIDEO_LABELS = "video labels"
BACKGROUND_CLICKS = "background clicks"
ACTION_CLICKS = "action clicks"
INSTANCES = "instances"
CLICKS = (BACKGROUND_CLICKS, ACTION_CLICKS)
NO_ANNOTATOR = "none"  # of a trial that reads no clicks: it is the same experiment whoever clicked


CASE = "case"  # the one axis of a study of cases
MOST_PARTS = 32  # the greatest denominator of a hyperparameter that is shown as a fraction


def written(value: Any) -> str:
    """A hyperparameter's value as a study file has it: 1/12 for 0.08333, 0.3 for 0.3, yes or no, "–" for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    short = f"{value:.4g}"
    if math.isfinite(value) and not math.isclose(float(short), value, rel_tol=1e-12):
        near = Fraction(value).limit_denominator(MOST_PARTS)
        if (
            near.denominator > 1
            and near.numerator
            and math.isclose(near.numerator / near.denominator, value, rel_tol=1e-9)
        ):
            return f"{near.numerator}/{near.denominator}"
    return short


def written_axis(values: Iterable[Any]) -> list[str]:
    """The values of one axis: where one of them is a fraction, all numbers that may be are, 1/16 beside 1/12."""
    values = list(values)
    words = [written(value) for value in values]
    if not any("/" in word for word, value in zip(words, values, strict=True) if isinstance(value, float)):
        return words
    near = [Fraction(value).limit_denominator(MOST_PARTS) if _is_number(value) else None for value in values]
    return [
        str(one) if one is not None and math.isclose(one, value, rel_tol=1e-9) else word
        for one, value, word in zip(near, values, words, strict=True)
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def cell_words(cell: Mapping[str, Any], centre: Mapping[str, Any]) -> str:
    """A cell by what is off the centre, "kernel_size=1 k_ratio=1/12", or "centre"; of a study of cases, its name."""
    if CASE in cell:
        return str(cell[CASE])
    return " ".join(f"{axis}={written(value)}" for axis, value in cell.items() if value != centre[axis]) or "centre"


def clicks_of(supervision: Iterable[str]) -> tuple[str, ...]:
    """The kinds of clicks among what is read."""
    read = set(supervision)
    return tuple(kind for kind in CLICKS if kind in read)


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """Ground-truth instances of one set of videos, one row an instance.

    video, label: int64 [N] into `videos` and `classes`; segment: float64 [N, 2] start and end in seconds, equal
    where an instance has no length; duration: float64 [len(videos)] seconds, NaN where the file gives none.
    ambiguous: instances of the same videos that are labelled "Ambiguous", which is never one of `classes`.
    """

    videos: tuple[str, ...]
    classes: tuple[str, ...]
    video: Ints
    label: Ints
    segment: Floats
    duration: Floats
    ambiguous: Annotations | None = None


@dataclass(frozen=True, kw_only=True)
class Detections:
    """Scored temporal segments, one row a detection, in input order (ties in score keep it).

    video, label: int64 [N] into `videos` and `classes`; segment: float64 [N, 2] seconds; score: float64 [N].
    """

    videos: tuple[str, ...]
    classes: tuple[str, ...]
    video: Ints
    label: Ints
    segment: Floats
    score: Floats


@dataclass(frozen=True, kw_only=True)
class DetectionScores:
    """Mean average precision per tIoU threshold, as fractions, with the protocol that computed it.

    video_set: the videos in words. ambiguous: instances that the protocol ignored detections over.
    """

    protocol: str
    subset: str
    video_set: str
    videos: int
    instances: int
    ambiguous: int
    detections: int
    tiou: tuple[float, ...]
    mAP: tuple[float, ...]
    per_class: dict[str, tuple[float, ...]]

    @property
    def average_mAP(self) -> float:
        return float(np.mean(self.mAP))

    def to_json(self) -> dict[str, Any]:
        """The evaluator's JSON content; every AP is a fraction."""
        names = ("protocol", "subset", "video_set", "videos", "instances", "ambiguous", "detections")
        return {
            **{name: getattr(self, name) for name in names},
            "tiou": list(self.tiou),
            "mAP": list(self.mAP),
            "average_mAP": self.average_mAP,
            "per_class": {label: list(values) for label, values in self.per_class.items()},
        }


@dataclass(frozen=True, kw_only=True)
class VideoSet:
    """One split, every video rescaled to T snippets.

    features float16 or float32 [N, D, T] (see `data/half_precision.py`); labels float32 [N, C] (1 = class present);
    duration float64 [N] seconds; frames int64 [N]. Supervision beyond video labels, none of it in a test split:
    background_clicks bool [N, T]; action_clicks bool [N, C, T]; segments float32 [N, K, 2], instances from start to end
    in snippets (0 to T), with segment_labels int64 [N, K], -1 where a video has fewer than K.
    """

    videos: tuple[str, ...]
    features: NDArray[np.floating[Any]]
    labels: NDArray[np.float32]
    duration: Floats
    frames: Ints
    background_clicks: NDArray[np.bool_]
    action_clicks: NDArray[np.bool_]
    segments: NDArray[np.float32]
    segment_labels: Ints

    @classmethod
    def labelled(
        cls,
        *,
        videos: tuple[str, ...],
        features: NDArray[np.float32],
        labels: NDArray[np.float32],
        duration: Floats,
        frames: Ints,
        background_clicks: NDArray[np.bool_] | None = None,
    ) -> VideoSet:
        """Videos with their labels and, where given, background clicks; no other supervision."""
        count, _, snippets = features.shape
        if background_clicks is None:
            background_clicks = np.zeros((count, snippets), np.bool_)
        return cls(
            videos=videos, features=features, labels=labels, duration=duration, frames=frames,
            background_clicks=background_clicks,
            action_clicks=np.zeros((count, labels.shape[1], snippets), np.bool_),
            segments=np.zeros((count, 0, 2), np.float32),
            segment_labels=np.zeros((count, 0), np.int64),
        )  # fmt: skip

    def subset(self, rows: Ints) -> VideoSet:
        """The videos at `rows` (int [M]), in that order."""
        names = tuple(self.videos[row] for row in rows)
        arrays = {
            spec.name: getattr(self, spec.name)[rows] for spec in dataclasses.fields(self) if spec.name != "videos"
        }
        return VideoSet(videos=names, **arrays)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Training and test videos with their ground truth (training truth is read only to score a holdout)."""

    classes: tuple[str, ...]
    train: VideoSet
    test: VideoSet
    train_truth: Annotations
    test_truth: Annotations


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """A dataset found and resolved: what a worker needs to load it, and what identifies its content.

    `clicks` maps each kind of clicks (of CLICKS) and annotator to the click file ("embedded" maps to "" for clicks
    stored in the features, clickers of a simulated set map to ""). `fingerprint` changes when any feature, truth or
    simulation setting does; `click_fingerprints`, shaped alike, enter a trial's key where the trial reads the clicks.
    Of an annotator's background clicks, the share `clicks_fraction` is kept, or `clicks_per_minute` of video. `layout`:
    of features, its name and timing (see `data/feature_layout.py`).
    """

    name: str
    source: Source
    root: str
    ground_truth: str
    clicks: dict[str, dict[str, str]]
    click_fingerprints: dict[str, dict[str, str]]
    snippets: int
    simulation: dict[str, Any]
    fingerprint: str
    description: str
    clicks_fraction: float = 1.0
    layout: dict[str, Any] = field(default_factory=dict)
    clicks_per_minute: float | None = None

    def fingerprints_read(self, annotator: str, supervision: tuple[str, ...]) -> dict[str, str]:
        """Kind → fingerprint of the clicks that a trial with this supervision reads, and how many of them are kept."""
        read = {kind: self.click_fingerprints[kind][annotator] for kind in clicks_of(supervision)}
        kept = f"{self.clicks_fraction!r}" if self.clicks_fraction < 1 else ""
        if self.clicks_per_minute is not None:
            kept = f"{self.clicks_per_minute!r} a minute"
        return read | ({f"{BACKGROUND_CLICKS} kept": kept} if BACKGROUND_CLICKS in read and kept else {})


INFERENCE = "inference."  # starts the name of an inference axis
CRITERION_TIOU = 0.5


def criterion(tiou: Sequence[float]) -> str:
    """What epochs, cells and trials are compared by: mAP at tIoU "0.5", or the "average" where .5 is not evaluated."""
    return f"{CRITERION_TIOU:g}" if CRITERION_TIOU in tiou else "average"


def canonical_json(content: Any) -> str:
    """One text for equal contents: sorted keys, no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
