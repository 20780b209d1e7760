"""The evaluator in plain NumPy: the slow reference that the compiled one must equal to the last bit.

Shapes: D detections and G instances of one class, R thresholds, P pairs of a detection and an instance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tal_search.metrics.average_precision import interpolated_average_precision
from tal_search.metrics.video_sets import describe_videos
from tal_search.types import Annotations, Detections, DetectionScores, Floats, Ints


def score(
    truth: Annotations,
    detections: Detections,
    tiou: tuple[float, ...],
    *,
    protocol: str = "activitynet",
    subset: str,
    ambiguous: Annotations | None = None,
) -> DetectionScores:
    """As `average_precision.score`, of a truth with at least one instance."""
    video = _positions(detections.videos, truth.videos)[detections.video]
    label = _positions(detections.classes, truth.classes)[detections.label]
    strict = protocol == "thumos14"
    rank = [(detections.videos[v] if strict else "", row) for row, v in enumerate(detections.video)]
    by_score = np.array(sorted(range(len(rank)), key=lambda row: (-detections.score[row], *rank[row])), np.int64)
    by_video = np.argsort(truth.video, kind="stable")
    thresholds = np.array(tiou, np.float64)
    touching = np.array([_touches(detections, row, ambiguous) for row in range(len(label))], np.bool_)
    precisions = {}
    for index in np.unique(truth.label):
        found = by_score[label[by_score] == index]
        instances = by_video[truth.label[by_video] == index]
        both = detections.segment[found], video[found], truth.segment[instances], truth.video[instances]
        if strict:
            hits_RD = np.stack([_match_instances(*both, threshold) for threshold in thresholds])
        else:
            pairs = _pairs(*both, thresholds.min())
            hits_RD = np.stack([_match_detections(*pairs, threshold, len(found)) for threshold in thresholds])
        precisions[truth.classes[index]] = (
            np.array([_plain(hits, touching[found], len(instances)) for hits in hits_RD])
            if strict
            else interpolated_average_precision(hits_RD, len(instances))
        )
    return DetectionScores(
        protocol=protocol,
        subset=subset,
        video_set=describe_videos(truth.videos),
        videos=len(truth.videos),
        instances=len(truth.label),
        ambiguous=len({row for row in _rows(ambiguous) if row[0] in truth.videos}),
        detections=len(detections.label),
        tiou=tiou,
        mAP=tuple(np.mean(list(precisions.values()), axis=0).tolist()),
        per_class={name: tuple(values.tolist()) for name, values in precisions.items()},
    )


def _rows(ambiguous: Annotations | None) -> list[tuple[str, float, float]]:
    """Video, start and end of each instance."""
    if ambiguous is None:
        return []
    both = zip(ambiguous.video, ambiguous.segment.tolist(), strict=True)
    return [(ambiguous.videos[video], start, end) for video, (start, end) in both]


def _touches(detections: Detections, row: int, ambiguous: Annotations | None) -> bool:
    """Whether one detection shares time with an ambiguous instance of its video."""
    name, (start, end) = detections.videos[detections.video[row]], detections.segment[row]
    return ambiguous is not None and any(
        ambiguous.videos[v] == name and min(end, other_end) > max(start, other_start)
        for v, (other_start, other_end) in zip(ambiguous.video, ambiguous.segment, strict=True)
    )


def _plain(hits: NDArray[np.bool_], touching: NDArray[np.bool_], instances: int) -> float:
    """AP without interpolation, detections one by one."""
    right = counted = 0
    precisions = np.zeros(len(hits))  # summed by NumPy, whose order of additions the fast version has
    for position, (hit, ignored) in enumerate(zip(hits, touching, strict=True)):
        if hit or not ignored:
            right, counted = right + int(hit), counted + 1
            precisions[position] = right / counted if hit else 0.0
    return float(precisions.sum() / instances)


def _positions(names: tuple[str, ...], known: tuple[str, ...]) -> Ints:
    """Where each name is in `known`, -1 where it is not."""
    position = {name: index for index, name in enumerate(known)}
    return np.array([position.get(name, -1) for name in names], np.int64)


def _overlap(a: Floats, b: Floats) -> Floats:
    """tIoU over the last axis, the others broadcast; 0 for two segments of no length."""
    shared = np.minimum(a[..., 1], b[..., 1]) - np.maximum(a[..., 0], b[..., 0])
    shared = np.maximum(shared, 0.0)
    union = (a[..., 1] - a[..., 0]) + (b[..., 1] - b[..., 0]) - shared
    overlap: Floats = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
    return overlap


def _pairs(
    segment_D: Floats, video_D: Ints, segment_G: Floats, video_G: Ints, lowest: float
) -> tuple[Ints, Ints, Floats]:
    """Detection, instance and tIoU [P] of each pair in one video that reaches `lowest`; video_G must be sorted.

    Ordered by detection, then by falling overlap. Of equal overlaps the later instance comes first, as in the released
    ActivityNet evaluator; it matters at low thresholds, where one detection covers several instances of equal length
    (0.08 points of mAP@0.1 on a released THUMOS14 detection file).
    """
    first_D = np.searchsorted(video_G, video_D, "left")
    count_D = np.searchsorted(video_G, video_D, "right") - first_D
    detection = np.repeat(np.arange(len(video_D)), count_D)
    nth = np.arange(len(detection)) - np.repeat(np.cumsum(count_D) - count_D, count_D)
    instance = nth + np.repeat(first_D, count_D)
    overlap = _overlap(segment_D[detection], segment_G[instance])
    reached = np.flatnonzero(overlap >= lowest)
    order = reached[np.lexsort((-instance[reached], -overlap[reached], detection[reached]))]
    return detection[order], instance[order], overlap[order]


def _match_detections(
    detection: Ints, instance: Ints, overlap: Floats, threshold: float, detections: int
) -> NDArray[np.bool_]:
    """Greedy matching over ordered pairs: True [D] for each detection that takes an instance.

    A plain loop: the few pairs that reach the threshold depend on one another through the instances taken.
    """
    reached = overlap >= threshold
    hits = np.zeros(detections, np.bool_)
    taken: set[int] = set()
    last = -1
    for found, wanted in zip(detection[reached].tolist(), instance[reached].tolist(), strict=True):
        if found != last and wanted not in taken:
            taken.add(wanted)
            hits[found] = True
            last = found
    return hits


def _match_instances(
    segment_D: Floats, video_D: Ints, segment_G: Floats, video_G: Ints, threshold: float
) -> NDArray[np.bool_]:
    """True [D] for each detection that an instance takes: instances in their order, the first of the best overlaps."""
    hits = np.zeros(len(segment_D), np.bool_)
    for segment, video in zip(segment_G, video_G, strict=True):
        (free,) = np.nonzero(~hits & (video_D == video))
        shared = np.minimum(segment_D[free, 1], segment[1]) - np.maximum(segment_D[free, 0], segment[0])
        span = np.maximum(segment_D[free, 1], segment[1]) - np.minimum(segment_D[free, 0], segment[0])
        overlap = np.divide(shared, span, out=np.zeros(len(free)), where=shared > 0)
        if len(free) and overlap.max() > threshold:
            hits[free[overlap.argmax()]] = True
    return hits
