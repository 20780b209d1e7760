"""Greedy matching of detections with instances, by class and at tIoU thresholds, under a named protocol.

Shapes: D detections and G instances of one class, R thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.errors import InputError
from tal_search.files.heartbeat import beat
from tal_search.types import PROTOCOLS, Annotations, Detections, Ints

UNMATCHED, IGNORED = -1, -2


@dataclass(frozen=True, kw_only=True)
class ClassMatches:
    """The detections of one class by descending score, and the instance matched with each at each threshold.

    detection: int64 [D] rows of the detections; video: int64 [D] into the truth's videos, -1 for an unknown video;
    instance: int64 [R, D] rows of the truth, UNMATCHED for a false positive, IGNORED where it does not count;
    instances: int64 [G] rows of the truth, all of this class.
    """

    name: str
    detection: Ints
    video: Ints
    instance: Ints
    instances: Ints

    @property
    def hits(self) -> NDArray[np.bool_]:
        """bool [R, D]: true positives."""
        hits_RD: NDArray[np.bool_] = self.instance >= 0
        return hits_RD

    @property
    def counted(self) -> NDArray[np.bool_]:
        """bool [R, D]: true and false positives, without ignored detections."""
        counted_RD: NDArray[np.bool_] = self.instance != IGNORED
        return counted_RD


def match_classes(
    truth: Annotations,
    detections: Detections,
    tiou: tuple[float, ...],
    *,
    protocol: str,
    ambiguous: Annotations | None = None,
) -> list[ClassMatches]:
    """Matches of each class with an instance in `truth`, in its order; rules as in `average_precision.score`.

    ambiguous: further instances beside `truth.ambiguous`, of any videos, over which `thumos14` ignores detections.
    Raises InputError: an unknown protocol, or `ambiguous` with a protocol that has no such rule.
    """
    from tal_search.metrics.matching_loop import match_detections, match_instances

    require_protocol(protocol, ambiguous is not None)
    match = match_instances if protocol == "thumos14" else match_detections
    video = positions(detections.videos, truth.videos)[detections.video]
    label = positions(detections.classes, truth.classes)[detections.label]
    touching = np.zeros(len(video), np.bool_)
    for unclear in ambiguous_instances(truth, ambiguous, protocol):
        touching |= touches(detections, unclear)
    by_score = _by_score(detections, protocol)
    by_video = np.argsort(truth.video, kind="stable")
    found_label, instance_label = label[by_score], truth.label[by_video]
    matches = []
    for index in np.unique(truth.label):
        beat("scoring %s", truth.classes[index])
        found, instances = by_score[found_label == index], by_video[instance_label == index]
        first_G = np.searchsorted(truth.video[instances], np.arange(len(truth.videos) + 1))
        taken_RD = match(
            detections.segment[found], video[found], truth.segment[instances], first_G, np.array(tiou, np.float64)
        )
        rows_RD = np.where(taken_RD >= 0, instances[taken_RD], np.where(touching[found], IGNORED, UNMATCHED))
        matches.append(
            ClassMatches(
                name=truth.classes[index], detection=found, video=video[found], instance=rows_RD, instances=instances
            )
        )
    return matches


def require_protocol(protocol: str, ambiguous: bool = False) -> None:
    """Raise InputError where the protocol is unknown, or takes no list of ambiguous instances."""
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol={protocol} is unknown; available: {', '.join(PROTOCOLS)}")
    if ambiguous and protocol != "thumos14":
        raise InputError(f"protocol={protocol} knows no ambiguous instances; set protocol=thumos14, or give no list")


def ambiguous_instances(truth: Annotations, listed: Annotations | None, protocol: str) -> list[Annotations]:
    """Instances over which the protocol ignores detections: the ambiguous ones of the truth and those listed."""
    return [one for one in (truth.ambiguous, listed) if one is not None] if protocol == "thumos14" else []


def _by_score(detections: Detections, protocol: str) -> Ints:
    """Rows of the detections by descending score, ties in input order.

    thumos14: ties by name of the video, as the toolkit goes through videos by name, then in input order.
    """
    if protocol != "thumos14":
        return np.argsort(-detections.score, kind="stable")
    name_rank = np.argsort(np.argsort(np.array(detections.videos)))
    return np.lexsort((name_rank[detections.video], -detections.score))


def touches(detections: Detections, instances: Annotations) -> NDArray[np.bool_]:
    """bool [N]: whether a detection overlaps an instance of any label in its video.

    A common end point is no overlap.
    """
    video = positions(detections.videos, instances.videos)[detections.video]
    touching = np.zeros(len(video), np.bool_)
    for index in np.unique(instances.video):
        rows = np.flatnonzero(video == index)
        start, end = detections.segment[rows, :1], detections.segment[rows, 1:]
        others = instances.segment[instances.video == index]
        touching[rows] = (np.minimum(end, others[:, 1]) > np.maximum(start, others[:, 0])).any(axis=1)
    return touching


def positions(names: tuple[str, ...], known: tuple[str, ...]) -> Ints:
    """Index of each name in `known`, -1 where it is absent."""
    position = {name: index for index, name in enumerate(known)}
    return np.array([position.get(name, -1) for name in names], np.int64)
