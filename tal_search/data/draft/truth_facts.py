"""Facts about the ground truth of a split that decide what can be learnt from it: labels, overlaps, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tal_search.data.truth.truths import background_gaps, present, rows_by_video, within
from tal_search.types import Annotations

LEAST_GAP = 1.0  # seconds without an instance that count as a gap: a click must be able to hit it
NEARLY_ALL = 0.9  # share of the videos


@dataclass(frozen=True, kw_only=True)
class LabelFacts:
    """What the video labels of a split tell apart.

    classes: with a video. a_video: mean number of classes of a video with any. full: videos with more than half of
    the classes. everywhere: classes in NEARLY_ALL of the videos or more. together: groups of classes of which every
    video has all or none, but for the classes that all videos have.
    """

    videos: int
    classes: int
    a_video: float
    full: int
    everywhere: tuple[str, ...]
    together: tuple[tuple[str, ...], ...]

    @property
    def telling(self) -> bool:
        """Whether most videos have at most half of the classes."""
        return self.classes > 1 and self.full <= self.videos / 2


@dataclass(frozen=True, kw_only=True)
class SplitFacts:
    """Counts of one split. minutes: its duration. bare: videos without an instance. overlapping: instances that share
    time with another of their video, and alike: with one of their own class. unlabelled: share of the time without an
    instance. gaps: times of LEAST_GAP or more without an instance.
    """

    videos: int
    minutes: float
    instances: int
    bare: tuple[str, ...]
    overlapping: int
    alike: int
    unlabelled: float
    gaps: int


def label_facts(truth: Annotations) -> LabelFacts:
    """Facts about the video labels of a split."""
    labels_NC = present(truth) > 0
    learnt = np.flatnonzero(labels_NC.any(0))
    shown_NC = labels_NC[:, learnt]
    numbers = shown_NC.sum(1)
    names = [truth.classes[index] for index in learnt]
    alike: dict[bytes, list[str]] = {}
    for name, shown_N in zip(names, shown_NC.T, strict=True):
        if not shown_N.all():
            alike.setdefault(shown_N.tobytes(), []).append(name)
    return LabelFacts(
        videos=len(shown_NC),
        classes=len(learnt),
        a_video=float(numbers[numbers > 0].mean()) if numbers.any() else 0.0,
        full=int((numbers > len(learnt) / 2).sum()),
        everywhere=tuple(name for name, share in zip(names, shown_NC.mean(0), strict=True) if share >= NEARLY_ALL),
        together=tuple(tuple(group) for group in alike.values() if len(group) > 1),
    )


def split_facts(truth: Annotations) -> SplitFacts:
    """Facts about one split; truth: with the duration of every video."""
    inside, rows = within(truth, truth.duration), rows_by_video(truth)
    gaps = [background_gaps(inside, row, float(seconds)) for row, seconds in enumerate(truth.duration)]
    free = sum(float((video[:, 1] - video[:, 0]).sum()) for video in gaps)
    overlapping = [_overlapping(inside, mine) for mine in rows_by_video(inside)]
    total = float(truth.duration.sum())
    return SplitFacts(
        videos=len(truth.videos),
        minutes=total / 60,
        instances=len(truth.label),
        bare=tuple(name for name, mine in zip(truth.videos, rows, strict=True) if not len(mine)),
        overlapping=sum(any_class for any_class, _ in overlapping),
        alike=sum(same for _, same in overlapping),
        unlabelled=free / total if total else 0.0,
        gaps=sum(int((video[:, 1] - video[:, 0] >= LEAST_GAP).sum()) for video in gaps),
    )


def _overlapping(truth: Annotations, rows: np.ndarray) -> tuple[int, int]:
    """Of the instances of one video, how many overlap another one, and one of their class."""
    start, end = truth.segment[rows].T
    shared_KK = np.minimum(end[:, None], end) - np.maximum(start[:, None], start) > 1e-9
    np.fill_diagonal(shared_KK, val=False)
    alike_KK = shared_KK & (truth.label[rows][:, None] == truth.label[rows])
    return int(shared_KK.any(1).sum()), int(alike_KK.any(1).sum())
