"""What goes wrong in a set of detections: kinds of false positives, what each costs, which instances are missed.

After Alwassel et al., "Diagnosing Error in Temporal Action Detectors" (ECCV 2018), and its released code DETAD.
Shapes: N detections in all, D detections and G instances of one video or one class, H true positives.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tal_search.metrics.average_precision import class_average_precision, score
from tal_search.metrics.instance_buckets import Bucket, describe_buckets, normalized_mAP
from tal_search.metrics.matching import UNMATCHED, ClassMatches, match_classes, positions
from tal_search.types import Annotations, Detections, Floats, Ints

TIOU, BACKGROUND_TIOU = 0.5, 0.1  # α and the overlap below which a detection is background
KINDS = ("true positive", "double detection", "wrong label", "localization", "confusion", "background")
RIGHT, DOUBLE, WRONG_LABEL, LOCALIZATION, CONFUSION, BACKGROUND = range(len(KINDS))
OUTSIDE = -1  # of KINDS: ignored by the protocol, or of a class without an instance
ERRORS = KINDS[1:]
TIMES = range(1, 11)


@dataclass(frozen=True, kw_only=True)
class Top:
    """The best `times` · G detections of each class, G its number of instances: how many are of each kind."""

    times: int
    counts: dict[str, int]

    def share(self, kind: str) -> float | None:
        """Of the false positives; None where there are none."""
        errors = sum(self.counts[error] for error in ERRORS)
        return self.counts[kind] / errors if errors else None

    @property
    def precision(self) -> float | None:
        detections = sum(self.counts.values())
        return self.counts[KINDS[RIGHT]] / detections if detections else None


@dataclass(frozen=True, kw_only=True)
class ErrorProfile:
    """The profile at one tIoU; mAP, gains and shares are fractions.

    top: of the best G, 2G, ... 10G detections; a row less the one before it is DETAD's column. gain: what mAP gains
    where all detections of one kind of error are removed. buckets: by characteristic; one that no instance has (no
    coverage without durations) is left out. edges: whose buckets they are.
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

    def to_json(self) -> dict[str, Any]:
        content = dataclasses.asdict(self)
        content["top"] = [
            {
                "times": row.times,
                "counts": row.counts,
                "precision": row.precision,
                "false_positive_shares": {kind: row.share(kind) for kind in ERRORS},
            }
            for row in self.top
        ]
        for name, buckets in self.buckets.items():
            content["buckets"][name] = [
                {  # JSON has no infinity
                    **dataclasses.asdict(bucket),
                    "high": bucket.high if np.isfinite(bucket.high) else None,
                    "missed_share": bucket.missed_share,
                }
                for bucket in buckets
            ]
        return content

    def rows(self) -> list[dict[str, Any]]:
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
    """The kinds of false positives at `tiou`, the gain from removing each, and what of the instances is found.

    A false positive is named by the best-overlap instance of its video, of any class. Where that reaches `tiou` it is a
    double detection of its own class or a wrong label; else, where it reaches `background_tiou`, a localization error
    or a confusion; else background. Of equal overlaps one of its own class decides (DETAD: the first in the file). All
    detections are in the gains (DETAD: the best 10G); mAP is not normalized there, so that a gain is what `score` says
    of the corrected file. mAP_N and missed instances are DETAD's. Raises InputError as `score` does.
    """
    rules: dict[str, Any] = {"protocol": protocol, "ambiguous": ambiguous}
    mAP = score(truth, detections, (tiou,), subset=subset, **rules).mAP[0]
    matches = match_classes(truth, detections, (tiou,), **rules)
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
    """What `error_profile` calls each detection: int64 [N] into KINDS, or OUTSIDE. Raises InputError as `score` does.

    Matching is within a video: the detections of one video alone are of the kinds that they are among all of them.
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
    for found in matches:
        kind_N[found.detection] = np.select(
            [found.hits[0], found.instance[0] == UNMATCHED], [RIGHT, BACKGROUND], OUTSIDE
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
    """tIoU [D, G] of segments in seconds, to the last bit as the protocol's loop in `matching_loop` has it."""
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
    best = [found.detection[found.counted[0]][: times * len(found.instances)] for found in matches]
    return Top(times=times, counts=_counted(kind_N[np.concatenate(best)]))


def _mean_without(matches: list[ClassMatches], kind_N: Ints, kind: int, protocol: str) -> float:
    """mAP without the detections of one kind: without a false positive, the others find the same instances."""
    areas = []
    for found in matches:
        kept = kind_N[found.detection] != kind
        rest = dataclasses.replace(
            found, detection=found.detection[kept], video=found.video[kept], instance=found.instance[:, kept]
        )
        areas.append(class_average_precision(rest, protocol))
    return float(np.mean(areas, axis=0)[0])
