"""The words of the project: plain, frozen records that every layer shares.

Shape suffixes used throughout: N videos of a set, B videos of a batch, D feature channels, T snippets,
C action classes (background is one extra class, index C). Times are seconds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
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


def clicks_of(supervision: Iterable[str]) -> tuple[str, ...]:
    """The kinds of clicks among what is read."""
    read = set(supervision)
    return tuple(kind for kind in CLICKS if kind in read)


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """Ground-truth instances of one set of videos, one row an instance.

    video, label: int64 [N] into `videos` and `classes`; segment: float64 [N, 2] start and end in seconds, equal
    where an instance has no length; duration: float64 [len(videos)] seconds, NaN where the file gives none.
    """

    videos: tuple[str, ...]
    classes: tuple[str, ...]
    video: Ints
    label: Ints
    segment: Floats
    duration: Floats


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


@dataclass(frozen=True, kw_only=True)
class TrialSpec:
    """One cell × one repeat, complete: a worker needs nothing else.

    `hyperparameters`, `inference` and `protocol` are complete plain dictionaries; `cell` holds only the training axes
    the study varies, at this trial's values. `inference` is what every epoch is scored with, the preset's whatever the
    study varies; `settings` are the other inference settings wanted, each complete, which are scored from the fit's
    cached activations and change nothing of the fit. `supervision` is what the method declares for these
    hyperparameters; `annotator` is NO_ANNOTATOR where that holds no clicks.
    """

    method: str
    code_version: str
    hyperparameters: dict[str, Any]
    inference: dict[str, Any]
    protocol: dict[str, Any]
    supervision: tuple[str, ...]
    dataset: DatasetSpec
    annotator: str
    seed: int
    precision: str
    cell: dict[str, Any]
    settings: tuple[dict[str, Any], ...] = ()

    @cached_property
    def key(self) -> str:
        """Content hash: equal keys are the same experiment, whatever study asks for it."""
        content = {
            "method": self.method,
            "code_version": self.code_version,
            "hyperparameters": self.hyperparameters,
            "inference": self.inference,
            "protocol": self.protocol,
            "dataset": self.dataset.fingerprint,
            "clicks": self.dataset.fingerprints_read(self.annotator, self.supervision),
            "annotator": self.annotator,
            "snippets": self.dataset.snippets,
            "seed": self.seed,
            "precision": self.precision,
        }
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:20]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TrialSpec:
        tuples = {"settings": tuple(content.get("settings", ())), "supervision": tuple(content["supervision"])}
        return cls(**{**content, **tuples, "dataset": DatasetSpec(**content["dataset"])})


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """What one epoch gave: mean losses by name, and mAP by split and tIoU where the epoch was evaluated."""

    epoch: int
    epochs: int
    seconds: float
    losses: dict[str, float]
    scores: dict[str, float] = field(default_factory=dict)  # "test/mAP/0.5" -> fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialResult:
    """A finished trial. A result with a number that is not finite cannot be built.

    mAP: fractions at `tiou`, on the test split, at `selected_epoch` (chosen by the study's selection protocol, never
    by test scores). holdout_mAP: the same on held-out training videos, None where none are held out. best_on_test_*:
    the leaky number released codes report, kept apart; None where the test split is scored once, after selection.
    seconds: fitting and scoring.
    """

    key: str
    selected_epoch: int
    tiou: tuple[float, ...]
    mAP: tuple[float, ...]
    holdout_mAP: tuple[float, ...] | None
    best_on_test_epoch: int | None
    best_on_test_mAP: float | None
    detections: int
    parameters: int
    seconds: float

    def __post_init__(self) -> None:
        numbers = (*self.mAP, *(self.holdout_mAP or ()), self.best_on_test_mAP or 0.0, self.seconds)
        bad = [number for number in numbers if not math.isfinite(number)]
        if bad:
            raise ValueError(f"trial {self.key} has a metric that is not finite: {bad[0]}")

    def at(self, tiou: float) -> float:
        """mAP at one tIoU threshold."""
        for threshold, value in zip(self.tiou, self.mAP, strict=True):
            if math.isclose(threshold, tiou, abs_tol=1e-9):
                return value
        raise KeyError(f"tIoU {tiou} was not evaluated; evaluated: {self.tiou}")

    def average(self, low: float, high: float) -> float:
        """Mean of the mAPs from tIoU `low` to `high`, both included."""
        inside = [v for t, v in zip(self.tiou, self.mAP, strict=True) if low - 1e-9 <= t <= high + 1e-9]
        return float(np.mean(inside))

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TrialResult:
        holdout = content["holdout_mAP"]
        return cls(
            **{
                **content,
                "tiou": tuple(content["tiou"]),
                "mAP": tuple(content["mAP"]),
                "holdout_mAP": None if holdout is None else tuple(holdout),
            }
        )


CRITERION_TIOU = 0.5


def criterion(tiou: Sequence[float]) -> str:
    """What epochs, cells and trials are compared by: mAP at tIoU "0.5", or the "average" where .5 is not evaluated."""
    return f"{CRITERION_TIOU:g}" if CRITERION_TIOU in tiou else "average"


def setting_name(inference: dict[str, Any]) -> str:
    """A short name for complete inference settings, under which a trial keeps what they score."""
    return hashlib.sha256(canonical_json(inference).encode()).hexdigest()[:10]


def canonical_json(content: Any) -> str:
    """One text for equal contents: sorted keys, no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
