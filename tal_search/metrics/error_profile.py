"""Error profile of detections: kinds of false positives, the mAP that each costs, and missed instances.

After Alwassel et al., "Diagnosing Error in Temporal Action Detectors" (ECCV 2018), and its released code DETAD.
Shapes: N all detections, D detections and G instances of one video or one class, H true positives.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.metrics.average_precision import class_average_precision, score
from tal_search.metrics.instance_buckets import Bucket, describe_buckets, normalized_mAP
from tal_search.metrics.matching import UNMATCHED, ClassMatches, match_classes, positions
from tal_search.types import Annotations, Detections, Floats, Ints

TIOU, BACKGROUND_TIOU = 0.5, 0.1  # DETAD's α, and the overlap below which a detection is background
KINDS = ("true positive", "double detection", "wrong label", "localization", "confusion", "background")
RIGHT, DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION, BACKGROUND = range(len(KINDS))
OUTSIDE = -1  # not in KINDS: ignored by the protocol, or of a class without an instance
ERRORS = KINDS[1:]
TIMES = range(1, 11)


@dataclass(frozen=True, kw_only=True)
class Top:
    """Counts by kind among the best `times` · G detections of each class, where G is its number of instances."""

    times: int
    counts: dict[str, int]

    def share(self, kind: str) -> float | None:
        """Share of a kind among the false positives; None without any."""
        errors = sum(self.counts[error] for error in ERRORS)
        return self.counts[kind] / errors if errors else None

    @property
    def precision(self) -> float | None:
        detections = sum(self.counts.values())
        return self.counts[KINDS[RIGHT]] / detections if detections else None


@dataclass(frozen=True, kw_only=True)
class ErrorProfile:
    """The profile at one tIoU; mAP, gains and shares are fractions.

    top: counts for the best G, 2G, ... 10G detections; DETAD's columns are differences of successive rows. gain:
    increase of mAP if all detections of one kind of error are removed. buckets: by characteristic, without those that
    no instance has (coverage without durations). edges: the dataset whose bucket edges are used.
    """

    protocol: str
    subset: str
    tiou: float
    background_tiou: float
    mAP: float
    normalized_mAP: float
    counts: dict[str, int]
    top: tuple[Top, ...]
    gain: dict[str, float]
    edges: str
    buckets: dict[str, tuple[Bucket, ...]]

    def to_json(self) -> dict[str, object]:
        top = [
            {
                "times": row.times,
                "counts": row.counts,
                "precision": row.precision,
                "false_positive_shares": {kind: row.share(kind) for kind in ERRORS},
            }
            for row in self.top
        ]
        buckets = {
            name: [
                {  # JSON has no infinity
                    **dataclasses.asdict(bucket),
                    "high": bucket.high if np.isfinite(bucket.high) else None,
                    "missed_share": bucket.missed_share,
                }
                for bucket in row
            ]
            for name, row in self.buckets.items()
        }
        return {**dataclasses.asdict(self), "top": top, "buckets": buckets}

    def rows(self) -> list[dict[str, object]]:
        """The same numbers as one long table: part, group, name, value (None where undefined), count."""
        table: list[tuple[str, str, str, float | None, int]] = []
        for top in self.top:
            table += [("false positives", f"{top.times}G", kind, top.share(kind), top.counts[kind]) for kind in ERRORS]
            table.append(("precision", f"{top.times}G", KINDS[RIGHT], top.precision, top.counts[KINDS[RIGHT]]))
        table += [("gain", "mAP", kind, gain, self.counts[kind]) for kind, gain in self.gain.items()]
        for name, buckets in self.buckets.items():
            table += [("sensitivity", name, row.name, row.normalized_mAP, row.instances) for row in buckets]
            table += [("missed", name, row.name, row.missed_share, row.missed) for row in buckets]
        return [dict(zip(("part", "group", "name", "value", "count"), row, strict=True)) for row in table]


def error_profile(
    truth: Annotations,
    detections: Detections,
    *,
    subset: str,
    protocol: str = "activitynet",
    ambiguous: Annotations | None = None,
    tiou: float = TIOU,
    background_tiou: float = BACKGROUND_TIOU,
) -> ErrorProfile:
    """Kinds of false positives at `tiou`, the gain from removing each kind, and which instances are found.

    The kind of a false positive follows from the best-overlap instance in its video, of any class. If that overlap
    reaches `tiou`, it is a double detection (same class) or a wrong label; else, if it reaches `background_tiou`, a
    localization error (same class) or a confusion; else background. Of equal overlaps one of the same class decides
    (DETAD: the first in the file). Gains cover all detections (DETAD: the best 10G) and use plain mAP, so that a gain
    equals the difference that `score` gives for the corrected file. mAP_N and missed instances are as in DETAD. Raises
    InputError as `score` does.
    """
    mAP = score(truth, detections, (tiou,), subset=subset, protocol=protocol, ambiguous=ambiguous).mAP[0]
    matches = match_classes(truth, detections, (tiou,), protocol=protocol, ambiguous=ambiguous)
    kind_N = _kinds(truth, detections, matches, (tiou, background_tiou), protocol)
    edges, buckets = describe_buckets(truth, matches)
    return ErrorProfile(
        protocol=protocol,
        subset=subset,
        tiou=tiou,
        background_tiou=background_tiou,
        mAP=mAP,
        normalized_mAP=normalized_mAP(matches, np.ones(len(truth.label), np.bool_)),
        counts=_counted(kind_N[kind_N != OUTSIDE]),
        top=tuple(_top(matches, kind_N, times) for times in TIMES),
        gain={name: _mean_without(matches, kind_N, kind, protocol) - mAP for kind, name in enumerate(KINDS) if kind},
        edges=edges,
        buckets=buckets,
    )


def detection_kinds(
    truth: Annotations,
    detections: Detections,
    *,
    protocol: str = "activitynet",
    ambiguous: Annotations | None = None,
    tiou: float = TIOU,
    background_tiou: float = BACKGROUND_TIOU,
) -> Ints:
    """The kind of each detection in `error_profile`: int64 [N] into KINDS, or OUTSIDE. InputError as `score` does.

    Matching is within a video, so the detections of one video alone have the same kinds as among all.
    """
    matches = match_classes(truth, detections, (tiou,), protocol=protocol, ambiguous=ambiguous)
    return _kinds(truth, detections, matches, (tiou, background_tiou), protocol)


def _kinds(
    truth: Annotations,
    detections: Detections,
    matches: list[ClassMatches],
    thresholds: tuple[float, float],
    protocol: str,
) -> Ints:
    """int64 [N] into KINDS, or OUTSIDE; thresholds: tiou and background_tiou."""
    kind_N = np.full(len(detections.label), OUTSIDE)
    for match in matches:
        kind_N[match.detection] = np.select(
            [match.hits[0], match.instance[0] == UNMATCHED], [RIGHT, BACKGROUND], OUTSIDE
        )
    label_N = positions(detections.classes, truth.classes)[detections.label]
    video_N = positions(detections.videos, truth.videos)[detections.video]
    wrong = np.flatnonzero((kind_N == BACKGROUND) & (video_N >= 0))
    wrong = wrong[np.argsort(video_N[wrong], kind="stable")]
    by_video = np.argsort(truth.video, kind="stable")
    for video in np.unique(video_N[wrong]):
        rows = wrong[slice(*np.searchsorted(video_N[wrong], [video, video + 1]))]
        instances = by_video[slice(*np.searchsorted(truth.video[by_video], [video, video + 1]))]
        if not len(instances):
            continue
        overlap_DG = overlaps(detections.segment[rows], truth.segment[instances], protocol)
        best_D = overlap_DG.max(axis=1)
        own_DG = label_N[rows][:, None] == truth.label[instances]
        own_D = (own_DG & (overlap_DG == best_D[:, None])).any(axis=1)
        reached, near = (_reaches(best_D, threshold, protocol) for threshold in thresholds)
        kind_N[rows] = np.select(
            [reached & own_D, reached, near & own_D, near], [DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION], BACKGROUND
        )
    return kind_N


def overlaps(segment_D: Floats, segment_G: Floats, protocol: str) -> Floats:
    """tIoU [D, G] of segments in seconds, equal to that of the protocol's loop in `matching_loop` to the last bit."""
    start_D1, end_D1 = segment_D[:, :1], segment_D[:, 1:]
    start_G, end_G = segment_G[:, 0], segment_G[:, 1]
    shared = np.maximum(np.minimum(end_D1, end_G) - np.maximum(start_D1, start_G), 0.0)
    if protocol == "thumos14":
        union = np.maximum(end_D1, end_G) - np.minimum(start_D1, start_G)
    else:
        union = (end_D1 - start_D1) + (end_G - start_G) - shared
    overlap_DG: Floats = np.divide(shared, union, out=np.zeros_like(union), where=union > 0)
    return overlap_DG


def _reaches(overlap_D: Floats, threshold: float, protocol: str) -> NDArray[np.bool_]:
    return overlap_D > threshold if protocol == "thumos14" else overlap_D >= threshold


def _counted(kinds: Ints) -> dict[str, int]:
    return dict(zip(KINDS, np.bincount(kinds, minlength=len(KINDS)).tolist(), strict=True))


def _top(matches: list[ClassMatches], kind_N: Ints, times: int) -> Top:
    best = [match.detection[match.counted[0]][: times * len(match.instances)] for match in matches]
    return Top(times=times, counts=_counted(kind_N[np.concatenate(best)]))


def _mean_without(matches: list[ClassMatches], kind_N: Ints, kind: int, protocol: str) -> float:
    """mAP without the detections of one kind of error; the others keep their matches."""
    areas = []
    for match in matches:
        kept = kind_N[match.detection] != kind
        rest = dataclasses.replace(
            match, detection=match.detection[kept], video=match.video[kept], instance=match.instance[:, kept]
        )
        areas.append(class_average_precision(rest, protocol))
    return float(np.mean(areas, axis=0)[0])
