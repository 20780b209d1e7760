"""Difference in mAP of two sets of detections, with its interval from a paired bootstrap over videos.

Shapes: V videos of the truth, B resamples, R thresholds, D detections and H true positives of one class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tal_search.errors import InputError
from tal_search.metrics.average_precision import score
from tal_search.metrics.matching import ClassMatches, match_classes
from tal_search.types import Annotations, Detections, Floats, Ints

RESAMPLES, SEED, LEVEL = 1000, 0, 0.95
NUMBERS_AT_ONCE = 200_000  # of an array [D, B]: twice as fast while it fits into the processor's cache


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """mAP of two sets of detections, their difference (first − second) and its interval, as fractions.

    Each has an entry for every threshold of `tiou` and a last one for the mean over thresholds. drawn: what the
    bootstrap draws.
    """

    tiou: tuple[float, ...]
    mAP: tuple[float, ...]
    other_mAP: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    drawn: str = "videos"

    @property
    def difference(self) -> tuple[float, ...]:
        return tuple(ours - theirs for ours, theirs in zip(self.mAP, self.other_mAP, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        return (*(f"{threshold:g}" for threshold in self.tiou), "average")

    def to_json(self) -> dict[str, object]:
        numbers = zip(self.names, self.mAP, self.other_mAP, self.difference, self.low, self.high, strict=True)
        columns = ("tiou", "mAP", "other_mAP", "difference", "low", "high")
        return {
            "interval": f"{LEVEL:.0%}, paired bootstrap over {self.drawn}",
            "resamples": RESAMPLES,
            "seed": SEED,
            "rows": [dict(zip(columns, row, strict=True)) for row in numbers],
        }


def compare(
    truth: Annotations,
    ours: Detections,
    theirs: Detections,
    tiou: tuple[float, ...],
    *,
    protocol: str,
    ambiguous: Annotations | None = None,
    subject_V: Ints | None = None,
) -> Comparison:
    """The percentile interval of the difference in mAP when the videos of `truth` are resampled with replacement.

    subject_V: the subject of each video, 0 to S − 1, where subjects are resampled instead.
    Both sets of detections use the same draws. Detections in videos that `truth` lacks are part of every draw. Raises
    InputError as `score` does, and where no draw has an instance.
    """
    weights_VB = draws(len(truth.videos), subject_V)
    scored, drawn = [], []
    for detections in (ours, theirs):
        mAP = score(truth, detections, tiou, subset="", protocol=protocol, ambiguous=ambiguous).mAP
        scored.append((*mAP, float(np.mean(mAP))))
        matches = match_classes(truth, detections, tiou, protocol=protocol, ambiguous=ambiguous)
        drawn.append(resampled_mAP(truth, matches, weights_VB, protocol))
    difference_BR = drawn[0] - drawn[1]
    difference_BR = difference_BR[np.isfinite(difference_BR).all(axis=1)]  # a draw may have no instance at all
    if not len(difference_BR):
        raise InputError("no draw of the videos has an instance, so nothing can be compared; score more videos")
    difference_BR = np.column_stack([difference_BR, difference_BR.mean(axis=1)])
    low, high = np.quantile(difference_BR, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0).tolist()
    drawn_of = "videos" if subject_V is None else f"{int(subject_V.max()) + 1} subjects"
    return Comparison(tiou=tiou, mAP=scored[0], other_mAP=scored[1], low=tuple(low), high=tuple(high), drawn=drawn_of)


def draws(videos: int, group_V: Ints | None = None) -> Ints:
    """Count of each video in each draw: int64 [V + 1, B]; the last row, for detections in unknown videos, is 1.

    group_V: of groups, 0 to G - 1, that are drawn whole, such as the videos of one subject.
    """
    groups = videos if group_V is None else int(group_V.max()) + 1
    counts_BG = np.random.default_rng(SEED).multinomial(groups, np.full(groups, 1 / groups), RESAMPLES)
    counts_VB = counts_BG.T if group_V is None else counts_BG.T[group_V]
    return np.vstack([counts_VB, np.ones(RESAMPLES, np.int64)])


def resampled_mAP(truth: Annotations, matches: list[ClassMatches], weights_VB: Ints, protocol: str) -> Floats:
    """mAP [B, R] on each draw, NaN on a draw without instances, from the one matching.

    Equals `score` of a truth and detections that contain each video as often as it was drawn, with the copies of a
    detection adjacent: neither the matches of a video nor what is ignored there depends on other videos.
    """
    at_once = max(1, NUMBERS_AT_ONCE // max(1, *(len(match.video) for match in matches)))
    parts = []
    for first in range(0, weights_VB.shape[1], at_once):
        weights = weights_VB[:, first : first + at_once]
        total_BR, classes_B = np.zeros((weights.shape[1], matches[0].instance.shape[0])), np.zeros(weights.shape[1])
        for match in matches:
            instances_B = weights[truth.video[match.instances]].sum(axis=0)
            area_BR = _areas(match, weights, protocol)
            total_BR += area_BR / np.maximum(instances_B, 1)[:, None]
            classes_B += instances_B > 0
        with np.errstate(invalid="ignore"):
            parts.append(total_BR / classes_B[:, None])
    return np.concatenate(parts)


def _areas(match: ClassMatches, weights_VB: Ints, protocol: str) -> Floats:
    """AP times the number of instances of one class on each draw: [B, R]."""
    weight_DB = weights_VB[match.video]
    all_DB = np.cumsum(weight_DB, axis=0)
    areas = []
    for hits_D, counted_D in zip(match.hits, match.counted, strict=True):
        rank_DB = all_DB if counted_D.all() else np.cumsum(weight_DB * counted_D[:, None], axis=0)
        copies_HB, rank_HB = weight_DB[hits_D], rank_DB[hits_D]
        right_HB = np.cumsum(copies_HB, axis=0)
        if protocol == "thumos14":
            areas.append(_plain(copies_HB, right_HB, rank_HB))
        else:  # copies of a true positive do not lower precision, so the last copy has the highest
            precision_HB = right_HB / np.maximum(rank_HB, 1)
            envelope_HB = np.maximum.accumulate(precision_HB[::-1], axis=0)[::-1]
            areas.append((copies_HB * envelope_HB).sum(axis=0))
    return np.stack(areas, axis=1)


def _plain(copies_HB: Ints, right_HB: Ints, rank_HB: Ints) -> Floats:
    """Sum of precisions [B] over all copies of the true positives.

    After f false positives, the copies at ranks n + 1 to n + w have precisions 1 − f / rank, whose sum is
    w − f (1/(n+1) + ... + 1/(n+w)): a difference of harmonic numbers.
    """
    if not len(copies_HB):
        return np.zeros(copies_HB.shape[1])
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, rank_HB.max() + 1))])
    wrong_HB = rank_HB - right_HB
    area: Floats = (copies_HB - wrong_HB * (harmonic[rank_HB] - harmonic[rank_HB - copies_HB])).sum(axis=0)
    return area
