"""Mean average precision of detections at tIoU thresholds, under a named protocol.

Shapes: D detections and G instances of one class, R thresholds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tal_search.errors import InputError
from tal_search.metrics.matching import ClassMatches, ambiguous_instances, match_classes
from tal_search.metrics.video_sets import describe_videos
from tal_search.types import Annotations, Detections, DetectionScores, Floats


def score(
    truth: Annotations,
    detections: Detections,
    tiou: tuple[float, ...],
    *,
    protocol: str = "activitynet",
    subset: str,
    ambiguous: Annotations | None = None,
) -> DetectionScores:
    """mAP and per-class AP at each tIoU threshold; the mean is over classes with an instance in `truth`.

    `activitynet` (ActivityNet challenge): detections choose. By descending score (ties in input order), each is a true
    positive if its overlap with the best-overlap instance still free in its video (of equal ones the last in input
    order) reaches the threshold. VOC 2011 interpolated AP. `truth.ambiguous` is ignored.

    `thumos14` (THUMOS14 toolkit, TH14evalDet): instances choose. In input order, each takes the free detection of
    highest overlap in its video (of equal ones that of highest score), if that exceeds the threshold. Of the remaining
    detections, those that share any time with an instance of `truth.ambiguous` or `ambiguous` in their video are
    ignored, the others are false positives. AP: the precision at each true positive, summed and divided by the number
    of instances without ambiguous ones. Ties in score: by video name, then input order.

    Duplicate instances count separately. Videos and classes match by name: a detection in a video that `truth` lacks is
    a false positive, one of a class without instances changes no AP. Raises InputError: no instance, bad protocol.
    """
    matches = match_classes(truth, detections, tiou, protocol=protocol, ambiguous=ambiguous)
    if not matches:
        raise InputError(f"subset '{subset}' has no ground-truth instance, so mAP is undefined; choose another subset")
    per_class = {found.name: class_average_precision(found, protocol) for found in matches}
    return DetectionScores(
        protocol=protocol,
        subset=subset,
        video_set=describe_videos(truth.videos),
        videos=len(truth.videos),
        instances=len(truth.label),
        ambiguous=_ambiguous_count(truth, ambiguous_instances(truth, ambiguous, protocol)),
        detections=len(detections.label),
        tiou=tiou,
        mAP=tuple(np.mean(list(per_class.values()), axis=0).tolist()),
        per_class={name: tuple(values.tolist()) for name, values in per_class.items()},
    )


def _ambiguous_count(truth: Annotations, ambiguous: list[Annotations]) -> int:
    """Number of distinct ambiguous instances in the videos of `truth`."""
    rows = {
        (instances.videos[video], *segment)
        for instances in ambiguous
        for video, segment in zip(instances.video.tolist(), instances.segment.tolist(), strict=True)
    }
    known = set(truth.videos)
    return sum(row[0] in known for row in rows)


def class_average_precision(found: ClassMatches, protocol: str) -> Floats:
    """AP [R] of one class under the protocol."""
    if protocol == "thumos14":
        return plain_average_precision(found.hits, found.counted, len(found.instances))
    return interpolated_average_precision(found.hits, len(found.instances))


def plain_average_precision(hits_RD: NDArray[np.bool_], counted_RD: NDArray[np.bool_], instances: int) -> Floats:
    """Precision at each true positive, summed and divided by the number of instances: [R, D] to [R].

    Detections by descending score; those not in `counted_RD` are ignored.
    """
    precision_RD = np.cumsum(hits_RD, axis=1) / np.maximum(np.cumsum(counted_RD, axis=1), 1)
    area: Floats = np.where(hits_RD, precision_RD, 0.0).sum(axis=1) / instances
    return area


def interpolated_average_precision(hits_RD: NDArray[np.bool_], instances: int) -> Floats:
    """Area under the precision envelope of each row: [R, D], True at true positives, by descending score, to [R].

    VOC 2011: each recall step has the greatest precision at that recall or beyond.
    """
    if not hits_RD.shape[1]:
        return np.zeros(len(hits_RD))
    precision_RD = np.cumsum(hits_RD, axis=1) / np.arange(1, hits_RD.shape[1] + 1)
    envelope_RD = np.maximum.accumulate(precision_RD[:, ::-1], axis=1)[:, ::-1]
    area: Floats = np.where(hits_RD, envelope_RD, 0.0).sum(axis=1) / instances
    return area
