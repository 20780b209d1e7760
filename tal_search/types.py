"""Types that every layer shares: annotations, detections, scores, video sets, and names used in files and tables.

Shape suffixes used throughout: N videos of a set, B videos of a batch, D feature channels, T snippets,
C action classes (background is one extra class, index C). Times are seconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tal_search.timeline import Timeline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Source = Literal["features", "simulated"]

Value: TypeAlias = bool | int | float | str | None  # of one setting, such as a hyperparameter
Plain: TypeAlias = Value | list["Plain"] | dict[str, "Plain"]  # content of a YAML or JSON file

# Kinds of annotation, as named in files, keys and tables.
VIDEO_LABELS = "video labels"
BACKGROUND_CLICKS = "background clicks"
ACTION_CLICKS = "action clicks"
INSTANCES = "instances"
CLICKS = (BACKGROUND_CLICKS, ACTION_CLICKS)
# Label budgets: the kind of annotation by the name of its share in studies. `VIDEOS`: share of whole videos.
VIDEOS = "videos"
SHARE_OF = {"background_clicks": BACKGROUND_CLICKS, "action_clicks": ACTION_CLICKS, "instances": INSTANCES}
NO_ANNOTATOR = "none"  # the annotator of a trial that reads no clicks: such a trial is the same for all of them
CASE = "case"  # the only axis of a study of cases
PROTOCOLS = ("activitynet", "thumos14")  # of scores, see `metrics.matching`
MOST_PARTS = 32  # largest denominator of a hyperparameter that is shown as a fraction


def written(value: object) -> str:
    """A hyperparameter's value as in a study file: 1/12 for 0.08333, 0.3 for 0.3, yes or no, "–" for None."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if not isinstance(value, float):
        return str(value)
    exact = math.isclose(float(short := f"{value:.4g}"), value, rel_tol=1e-12)
    near = None if exact else _fraction(value)  # slow
    return short if near is None or near.denominator == 1 else str(near)


def written_axis(values: Iterable[object]) -> list[str]:
    """The values of one axis; if any is shown as a fraction, so are all that can be: 1/16 beside 1/12."""
    values = list(values)
    words = [written(value) for value in values]
    if not any("/" in word for word, value in zip(words, values, strict=True) if isinstance(value, float)):
        return words
    return [str(_fraction(value) or word) for value, word in zip(values, words, strict=True)]


def _fraction(value: object) -> Fraction | None:
    """The value as a fraction with a denominator of at most MOST_PARTS; None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    near = Fraction(value).limit_denominator(MOST_PARTS)
    return near if math.isclose(near, value, rel_tol=1e-9) else None


def cell_words(cell: Mapping[str, object], centre: Mapping[str, object]) -> str:
    """A cell's settings that differ from the centre, "kernel_size=1 k_ratio=1/12", else "centre"; a case's name."""
    if CASE in cell:
        return str(cell[CASE])
    return " ".join(f"{axis}={written(value)}" for axis, value in cell.items() if value != centre[axis]) or "centre"


def clicks_of(supervision: Iterable[str]) -> tuple[str, ...]:
    """The kinds of clicks in a method's supervision."""
    read = set(supervision)
    return tuple(kind for kind in CLICKS if kind in read)


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """Ground-truth instances of one set of videos, one row per instance.

    video, label: int64 [N] into `videos` and `classes`; segment: float64 [N, 2] start and end in seconds, equal
    for an instance without length; duration: float64 [len(videos)] seconds, NaN if the file gives none.
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
    """Scored temporal segments, one row per detection, in input order (which also breaks ties in score).

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

    video_set: description of the videos. ambiguous: instances whose detections the protocol ignored.
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

    def to_json(self) -> dict[str, object]:
        """The evaluator's JSON content; every AP is a fraction."""
        names = ("protocol", "subset", "video_set", "videos", "instances", "ambiguous", "detections")
        per_class = {label: list(values) for label, values in self.per_class.items()}
        curve = {"tiou": list(self.tiou), "mAP": list(self.mAP), "average_mAP": self.average_mAP}
        return {**{name: getattr(self, name) for name in names}, **curve, "per_class": per_class}


class JointScores(NamedTuple):
    """Scores of the pooled detections of all folds, fractions: mAP float64 [T]; drawn float32 [B, T], on draws of the
    subjects, NaN without instances; tiou [T]; number of subjects; note: why there are no detections.
    """

    mAP: Floats
    drawn: NDArray[np.float32]
    tiou: tuple[float, ...]
    subjects: int
    note: str


@dataclass(frozen=True, kw_only=True)
class VideoSet:
    """One split, every video with T snippets, or with the first `length` of them and zeros after those.

    features float16 or float32 [N, D, T] (see `data/half_precision.py`); labels float32 [N, C] (1 = class present);
    duration float64 [N] seconds; frames int64 [N]. length int64 [N], start and extent float64 [N] seconds: see
    `Timeline`; None where all T snippets cover the video evenly. Supervision beyond video labels, empty in a test
    split: background_clicks bool [N, T]; action_clicks bool [N, C, T]; segments float32 [N, K, 2], start and end of
    each instance in snippets (0 to T), with segment_labels int64 [N, K], -1 for padding in a video with fewer than K.
    """

    videos: tuple[str, ...]
    features: NDArray[np.floating]
    labels: NDArray[np.float32]
    duration: Floats
    frames: Ints
    background_clicks: NDArray[np.bool_]
    action_clicks: NDArray[np.bool_]
    segments: NDArray[np.float32]
    segment_labels: Ints
    length: Ints | None = None
    start: Floats | None = None
    extent: Floats | None = None

    @property
    def timeline(self) -> Timeline:
        """Times of the snippets."""
        return Timeline.stated(self.features.shape[-1], self.duration, self.length, self.start, self.extent)

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
        **times: NDArray[Any],
    ) -> VideoSet:
        """Videos with their labels and, if given, background clicks; no other supervision. times: of a `Timeline`."""
        count, _, snippets = features.shape
        if background_clicks is None:
            background_clicks = np.zeros((count, snippets), np.bool_)
        return cls(
            videos=videos, features=features, labels=labels, duration=duration, frames=frames,
            background_clicks=background_clicks,
            action_clicks=np.zeros((count, labels.shape[1], snippets), np.bool_),
            segments=np.zeros((count, 0, 2), np.float32),
            segment_labels=np.zeros((count, 0), np.int64), **times,
        )  # fmt: skip

    def subset(self, rows: Ints) -> VideoSet:
        """The videos at `rows` (int [M]), in that order."""
        names = tuple(self.videos[row] for row in rows)
        arrays = {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.name != "videos"}
        return VideoSet(videos=names, **{name: array[rows] for name, array in arrays.items() if array is not None})


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Training and test videos with their ground truth (training truth is used only to score a holdout)."""

    classes: tuple[str, ...]
    train: VideoSet
    test: VideoSet
    train_truth: Annotations
    test_truth: Annotations


INFERENCE = "inference."  # prefix of the names of inference axes
SUPERVISION = "supervision."  # prefix of the names of axes that are label budgets
CRITERION_TIOU = 0.5


def criterion(tiou: Sequence[float]) -> str:
    """The score that epochs, cells and trials are compared by: mAP at tIoU "0.5", or "average" if 0.5 is not used."""
    return f"{CRITERION_TIOU:g}" if CRITERION_TIOU in tiou else "average"


def canonical_json(content: object) -> str:
    """JSON that is the same for equal contents: sorted keys, no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
