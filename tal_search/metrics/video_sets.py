"""The THUMOS14 test sets used in papers, which differ in three videos, and removal of duplicate instances.

213 videos have temporal annotations. `video_test_0001292` has only ambiguous instances, 270 and 1496 are wrongly
annotated; papers leave out none, one, two or all three.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tal_search.errors import InputError
from tal_search.types import Annotations, Detections

SPECIAL = ("video_test_0000270", "video_test_0001292", "video_test_0001496")
OTHERS = 210
# Each leaves out one more. There are two sets of 211: this one (G-TAD, OpenTAD), and one that has 1292 but not 1496.
LEFT_OUT = {213: (), 212: SPECIAL[1:2], 211: SPECIAL[:2], 210: SPECIAL}


def describe_videos(videos: tuple[str, ...]) -> str:
    """The number of videos and, where they are a THUMOS14 test set, the videos that it leaves out."""
    present = [name for name in SPECIAL if name in videos]
    if len(videos) - len(present) != OTHERS or not all(name.startswith("video_test_") for name in videos):
        return f"{len(videos)} videos"
    missing = [name[-4:].lstrip("0") for name in SPECIAL if name not in present]
    return f"{len(videos)} videos (THUMOS14 test{' without ' + ', '.join(missing) if missing else ''})"


def left_out(videos: tuple[str, ...], wanted: int) -> tuple[str, ...]:
    """The videos of a THUMOS14 ground truth that are not in the test set of `wanted` videos.

    Raises InputError: no such set, or a ground truth that lacks videos of it.
    """
    if wanted not in LEFT_OUT:
        raise InputError(f"videos={wanted} is not a THUMOS14 test set; give one of {', '.join(map(str, LEFT_OUT))}")
    absent = [name for name in SPECIAL if name not in (*videos, *LEFT_OUT[wanted])]
    if absent:
        raise InputError(f"videos={wanted} needs {', '.join(absent)}, which the ground truth lacks")
    others = describe_videos(tuple(name for name in videos if name not in SPECIAL))
    if "THUMOS14" not in others:
        raise InputError(
            f"videos={wanted} needs the {OTHERS} THUMOS14 test videos that are in every set, and the ground truth has "
            f"{others}; leave out videos= to score the whole subset"
        )
    return LEFT_OUT[wanted]


def without_videos(detections: Detections, names: tuple[str, ...]) -> Detections:
    """The detections without those in the videos `names`, in their order."""
    kept = ~np.isin(np.array(detections.videos), names)[detections.video]
    columns = ("video", "label", "segment", "score")
    return dataclasses.replace(detections, **{name: getattr(detections, name)[kept] for name in columns})


def without_duplicates(truth: Annotations) -> Annotations:
    """The ground truth with only the first of instances that agree in video, label, start and end."""
    rows = np.column_stack([truth.video, truth.label, truth.segment])
    kept = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    return dataclasses.replace(truth, video=truth.video[kept], label=truth.label[kept], segment=truth.segment[kept])
