"""Notes on a ground truth for the user: instances that cannot be found or learnt, and labels that say little."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tal_search.data.dataset_spec import DatasetSpec
from tal_search.data.features.split_reader import read_truths
from tal_search.data.truth.labels import named
from tal_search.data.truth.truths import present
from tal_search.errors import InputError
from tal_search.text.words import counted
from tal_search.types import Annotations, Detections

Rows = NDArray[np.bool_]  # [N], whether an instance is of some kind
# Seconds. Releases round times to hundredths, so many an instance ends a little after its video.
ROUNDING = 0.01
MOST_OUTSIDE = 0.5  # share of instances outside their videos in times that are seconds


def dataset_notes(spec: DatasetSpec, seconds: Mapping[str, float]) -> list[str]:
    """Every note on the ground truth of a dataset; seconds: duration by video, as the features have it.

    Raises InputError where the ground truth cannot be used.
    """
    notes: list[str] = []
    path = Path(spec.ground_truth)
    train, test = (_timed(truth, seconds) for truth in read_truths(spec, notes))
    _require_inside(path, train, test)
    return [*notes, *truth_notes(path, train, test), *training_notes(path, train, test)]


def _require_inside(path: Path, *truths: Annotations) -> None:
    """Raises InputError where most instances lie outside their videos: their times are no seconds."""
    outside = [(truth, np.flatnonzero(is_outside(truth))) for truth in truths]
    count, total = sum(len(rows) for _, rows in outside), sum(len(truth.label) for truth in truths)
    if count <= MOST_OUTSIDE * total:
        return
    truth, rows = next((truth, rows) for truth, rows in outside if len(rows))
    video, (start, end) = truth.video[rows[0]], truth.segment[rows[0]]
    seen = f"{truth.videos[video]} lasts {truth.duration[video]:g} s and has one from {start:g} to {end:g}"
    raise InputError(
        f"{path}: {count} of {counted(total, 'instance')} lie wholly outside their video ({seen}); segments are in "
        "seconds: divide frames by the frames a second, or correct the durations"
    )


def truth_notes(path: Path, *truths: Annotations) -> list[str]:
    """Notes on instances: of no length, outside their video or partly so, given twice, ambiguous."""
    clipped = "training clips {them} to the video, and scores compare detections with the whole instance"
    notes = [
        _note(
            path, truths, is_empty, "has no length", "have no length",
            "{they} count{s} in every score, and no detection can find {them}",
        ),
        _note(
            path, truths, is_outside, "lies wholly outside its video", "lie wholly outside their video",
            "training uses only the class, as a video label, and scores count {them} as missed, because no detection "
            "in the video can find {them}",
        ),
        _note(
            path, truths, starts_before, "lies partly outside its video, before 0 s",
            "lie partly outside their video, before 0 s", clipped,
        ),
        _note(
            path, truths, ends_after, "lies partly outside its video, after its end",
            "lie partly outside their video, after its end", clipped,
        ),
        _note(
            path, truths, is_repeated, "repeats another exactly", "repeat another exactly",
            "training and scores count {them} again, and each detection can find only one of the two (evaluate "
            "duplicates=drop counts it once)",
        ),
    ]  # fmt: skip
    ambiguous = sum(len(truth.ambiguous.label) for truth in truths if truth.ambiguous is not None)
    if ambiguous:
        notes.append(
            f"{path}: {counted(ambiguous, 'instance')} {'is' if ambiguous == 1 else 'are'} labelled Ambiguous, which "
            "is not a class; protocol thumos14 ignores false detections that touch one, activitynet leaves such "
            "instances out"
        )
    return [note for note in notes if note]


def detection_notes(path: Path, truth: Annotations, found: Detections) -> list[str]:
    """A note on detections that share no time with their video; path: their file. None of unknown durations."""
    seconds = dict(zip(truth.videos, truth.duration.tolist(), strict=True))
    duration_N = np.array([seconds.get(name, np.nan) for name in found.videos])[found.video]
    known = int(np.isfinite(duration_N).sum())
    outside_N = (found.segment[:, 0] >= duration_N + ROUNDING) | ((found.segment[:, 1] <= 0) & np.isfinite(duration_N))
    if not outside_N.any():
        return []
    count, videos = int(outside_N.sum()), list(dict.fromkeys(found.videos[row] for row in found.video[outside_N]))
    lie = "lies wholly outside its video" if count == 1 else "lie wholly outside their video"
    return [
        f"{path}: {count} of {counted(known, 'detection')} {lie} (durations of the ground truth), in "
        f"{counted(len(videos), 'video')} ({named(videos)}); are they in frames? Times are seconds"
    ]


def training_notes(path: Path, train: Annotations, test: Annotations) -> list[str]:
    """Notes on training videos without an instance, classes without a training video, labels that most videos share."""
    labels_NC, notes = present(train), list[str]()
    videos, classes = labels_NC.shape
    bare = [name for name, labels_C in zip(train.videos, labels_NC, strict=True) if not labels_C.any()]
    if bare:
        notes.append(
            f"{path}: {len(bare)} of {counted(videos, 'training video')} {'has' if len(bare) == 1 else 'have'} no "
            f"instance ({named(bare)}); training takes {'it' if len(bare) == 1 else 'them'} for background as a whole"
        )
    lacking = np.flatnonzero(~labels_NC.any(0))
    if len(lacking):
        tested = counted(int(np.isin(test.label, lacking).sum()), "test instance")
        notes.append(
            f"{path}: {len(lacking)} of {classes} classes {'has' if len(lacking) == 1 else 'have'} no training video "
            f"({named([train.classes[index] for index in lacking])}); nothing can be learnt of "
            f"{'it' if len(lacking) == 1 else 'them'}, and scores include {tested}"
        )
    learnt = classes - len(lacking)
    full = int((labels_NC.sum(1) > learnt / 2).sum())
    if full > videos / 2:
        what = "the only class" if learnt == 1 else f"more than half of the {learnt} classes"
        notes.append(
            f"{path}: {full} of {counted(videos, 'training video')} have {what}, so video labels say little; cut the "
            "videos into shorter ones, or train on clicks or instances"
        )
    return notes


def is_empty(truth: Annotations) -> Rows:
    """Instances of no length."""
    empty_N: Rows = truth.segment[:, 1] <= truth.segment[:, 0]
    return empty_N


def is_outside(truth: Annotations) -> Rows:
    """Instances that share no time with their video; none of a video of unknown duration, unless before 0 s."""
    start_N, end_N = truth.segment.T
    outside_N: Rows = ((end_N <= 0) | (start_N >= truth.duration[truth.video])) & ~is_empty(truth)
    return outside_N


def starts_before(truth: Annotations) -> Rows:
    """Instances that start before 0 s and end inside their video or after it."""
    early_N: Rows = (truth.segment[:, 0] < -ROUNDING) & ~is_outside(truth) & ~is_empty(truth)
    return early_N


def ends_after(truth: Annotations) -> Rows:
    """Instances that start inside their video or before it and end after it."""
    late_N: Rows = truth.segment[:, 1] > truth.duration[truth.video] + ROUNDING
    return late_N & ~is_outside(truth) & ~is_empty(truth)


def is_repeated(truth: Annotations) -> Rows:
    """Instances that agree with an earlier one in video, label, start and end."""
    rows = np.column_stack([truth.video, truth.label, truth.segment])
    repeated_N = np.ones(len(rows), np.bool_)
    repeated_N[np.unique(rows, axis=0, return_index=True)[1]] = False
    return repeated_N


def _note(
    path: Path, truths: tuple[Annotations, ...], kind: Callable[[Annotations], Rows], one: str, many: str, effect: str
) -> str:
    """A sentence with the number of instances of a kind, their videos, and what comes of it; empty without any."""
    found = [truth.videos[row] for truth in truths for row in truth.video[kind(truth)].tolist()]
    if not found:
        return ""
    videos = list(dict.fromkeys(found))
    words = {"they": "it", "them": "it", "s": "s"} if len(found) == 1 else {"they": "they", "them": "them", "s": ""}
    return (
        f"{path}: {counted(len(found), 'instance')} {one if len(found) == 1 else many}, in "
        f"{counted(len(videos), 'video')} ({named(videos)}); {effect.format(**words)}"
    )


def _timed(truth: Annotations, seconds: Mapping[str, float]) -> Annotations:
    """The ground truth with the durations that the features have, where they are known."""
    both = zip(truth.videos, truth.duration.tolist(), strict=True)
    return dataclasses.replace(truth, duration=np.array([seconds.get(name, stated) for name, stated in both]))
