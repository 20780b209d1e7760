"""Buckets of instances by length, coverage and number: against their definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from tal_search.metrics.error_profile import error_profile
from tal_search.types import Annotations, Detections
from tests.support.naive_scorer import Rows, Scored
from tests.support.small_truths import annotations, detections, rows, scored


def naive_normalized(truth: Annotations, found: Detections, inside: set[int]) -> float:
    """mAP_N at tIoU .5, by recall and precision curves as DETAD writes them down."""
    usual = len(truth.label) / len(set(truth.label.tolist()))
    areas = []
    for label in sorted(set(truth.label.tolist())):
        wanted = [i for i in inside if truth.label[i] == label]
        if not wanted:
            continue
        taken: set[int] = set()
        hits = []
        for row in sorted(np.flatnonzero(found.label == label), key=lambda index: -found.score[index]):
            start, end = found.segment[row]
            best = (0.5, -1)
            for i in np.flatnonzero((truth.label == label) & (truth.video == found.video[row])).tolist():
                shared = max(min(end, truth.segment[i, 1]) - max(start, truth.segment[i, 0]), 0.0)
                overlap = shared / (end - start + np.diff(truth.segment[i])[0] - shared)
                if i not in taken:
                    best = max(best, (overlap, i))
            taken.add(best[1])
            if best[1] < 0 or best[1] in wanted:
                hits.append(best[1] >= 0)
        recall = np.cumsum(hits) / len(wanted)
        wrong = np.cumsum(np.logical_not(hits))
        precision = [r * usual / (r * usual + w) if r or w else 0.0 for r, w in zip(recall, wrong, strict=True)]
        steps = np.diff([0.0, *recall])
        areas.append(sum(step * max(precision[k:]) for k, step in enumerate(steps)))
    return float(np.mean(areas))


@settings(max_examples=80, deadline=None)
@given(rows(1, shortest=0), scored())
def test_buckets_equal_their_definitions(truth: Rows, found: Scored) -> None:
    known = replace(annotations(truth), duration=np.array([40.0, 100.0, np.nan]))
    detected = detections(found)
    profile = error_profile(known, detected, subset="s")
    everything = set(range(len(truth)))
    assert profile.normalized_mAP == pytest.approx(naive_normalized(known, detected, everything))
    length = known.segment[:, 1] - known.segment[:, 0]
    values = {
        "length": length,
        "coverage": length / known.duration[known.video],
        "instances": np.array([sum(row[0] == other[0] for other in truth) for row in truth]),
    }
    assert set(profile.buckets) == {name for name, value in values.items() if not np.isnan(value).all()}
    for name, buckets in profile.buckets.items():
        assert sum(bucket.instances for bucket in buckets) == np.isfinite(values[name]).sum()
        for bucket in buckets:
            high = np.inf if name == "coverage" and bucket.high == 1 else bucket.high
            low = bucket.low or -1  # an instance of no length is in the first
            inside = set(np.flatnonzero((low < values[name]) & (values[name] <= high)).tolist())
            assert bucket.instances == len(inside)
            expected = naive_normalized(known, detected, inside) if inside else None
            assert bucket.normalized_mAP == (None if expected is None else pytest.approx(expected))


def test_an_instance_found_among_hundreds_of_wrong_detections_is_missed() -> None:
    truth = annotations([("u", "a", 0, 10), ("u", "a", 20, 30)])
    wrong = [("u", "a", 50.0, 60.0, 0.5)] * 38
    for count, missed in ((37, 0), (38, 1)):  # normalized precision 2 / (2 + count): .0513, then .05, which is too low
        found = [("u", "a", 0.0, 10.0, 0.9), *wrong[:count], ("u", "a", 20.0, 30.0, 0.1)]
        buckets = error_profile(truth, detections(found), subset="s").buckets["length"]
        assert sum(bucket.missed for bucket in buckets) == missed
