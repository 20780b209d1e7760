"""Recall and mAP_N of instances by length, coverage and number in their video, in the buckets of DETAD.

After Alwassel et al., "Diagnosing Error in Temporal Action Detectors" (ECCV 2018), and its released code.
Shapes: N all instances, D detections and H true positives of one class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tal_search.metrics.matching import UNMATCHED, ClassMatches
from tal_search.types import Annotations, Floats

# Upper ends of all but the last bucket: seconds, share of the video, instances of any class in the video.
EDGES = {
    "THUMOS14": {"length": (3, 6, 12, 18), "coverage": (0.02, 0.04, 0.06, 0.08), "instances": (1, 40, 80)},
    "ActivityNet": {"length": (30, 60, 120, 180), "coverage": (0.2, 0.4, 0.6, 0.8), "instances": (1, 4, 8)},
}
LAST = {"length": math.inf, "coverage": 1.0, "instances": math.inf}
NAMES = ("XS", "S", "M", "L", "XL")
LEAST_PRECISION = 0.05  # an instance found at no higher normalized precision is missed
SHORT_SECONDS = (
    12.0  # between the median instances of datasets: 1 to 3 s in BEOID, GTEA and THUMOS14, 28 s in ActivityNet 1.2
)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Instances whose characteristic is above `low` and at most `high`.

    normalized_mAP: mAP_N of these instances alone, None without any. missed: instances that no detection finds.
    """

    name: str
    low: float
    high: float
    instances: int
    missed: int
    normalized_mAP: float | None

    @property
    def missed_share(self) -> float | None:
        return self.missed / self.instances if self.instances else None


def describe_buckets(truth: Annotations, matches: list[ClassMatches]) -> tuple[str, dict[str, tuple[Bucket, ...]]]:
    """The dataset whose edges suit the truth, and the buckets by characteristic, from matches at one threshold.

    Edges are THUMOS14's where the median instance is shorter than 12 s, else ActivityNet's. A value belongs to the
    first bucket whose upper end it does not exceed, a coverage above 1 (an instance that leaves its video) to the last.
    Instances without a value are in no bucket; a characteristic without any value is left out.
    """
    length = truth.segment[:, 1] - truth.segment[:, 0]
    values = {
        "length": length,
        "coverage": length / truth.duration[truth.video],
        "instances": np.bincount(truth.video)[truth.video].astype(np.float64),
    }
    edges = "THUMOS14" if np.median(length) < SHORT_SECONDS else "ActivityNet"
    found_N = _found(matches, len(length))
    described = {}
    for name, value_N in values.items():
        if np.isnan(value_N).all():
            continue
        ends = EDGES[edges][name]
        bucket_N = np.where(np.isnan(value_N), -1, np.searchsorted(ends, value_N))
        limits = zip((0.0, *ends), (*ends, LAST[name]), strict=True)
        described[name] = tuple(
            _bucket(NAMES[index], low, high, matches, bucket_N == index, found_N)
            for index, (low, high) in enumerate(limits)
        )
    return edges, described


def _bucket(
    name: str,
    low: float,
    high: float,
    matches: list[ClassMatches],
    inside_N: NDArray[np.bool_],
    found_N: NDArray[np.bool_],
) -> Bucket:
    return Bucket(
        name=name,
        low=float(low),
        high=float(high),
        instances=int(inside_N.sum()),
        missed=int((inside_N & ~found_N).sum()),
        normalized_mAP=normalized_mAP(matches, inside_N) if inside_N.any() else None,
    )


def _found(matches: list[ClassMatches], instances: int) -> NDArray[np.bool_]:
    """bool [instances]: matched by a detection at a normalized precision above LEAST_PRECISION."""
    taken = np.zeros(instances, np.bool_)
    usual = _usual(matches)
    for match in matches:
        precision_H = _normalized_precision(match.hits[0], len(match.instances), usual)
        taken[match.instance[0][match.hits[0]][precision_H > LEAST_PRECISION]] = True
    return taken


def normalized_mAP(matches: list[ClassMatches], inside: NDArray[np.bool_]) -> float:
    """mAP_N of the instances `inside`, without true positives of others and without classes that have none inside."""
    usual = _usual(matches)
    areas = []
    for match in matches:
        instances = int(inside[match.instances].sum())
        if instances:
            row_D = match.instance[0]
            kept_D = row_D[(row_D == UNMATCHED) | np.isin(row_D, np.flatnonzero(inside))]
            precision_H = _normalized_precision(kept_D >= 0, instances, usual)
            areas.append(np.maximum.accumulate(precision_H[::-1]).sum() / instances)
    return float(np.mean(areas))


def _normalized_precision(hits_D: NDArray[np.bool_], instances: int, usual: float) -> Floats:
    """Precision [H] at each true positive as if the class had the usual number of instances (DETAD)."""
    (rank_H,) = np.nonzero(hits_D)
    right_H = np.arange(1, len(rank_H) + 1)
    weighted_H = right_H / instances * usual
    precision_H: Floats = weighted_H / (weighted_H + (rank_H + 1 - right_H))
    return precision_H


def _usual(matches: list[ClassMatches]) -> float:
    """The mean number of instances of a class."""
    return float(np.mean([len(match.instances) for match in matches]))
