"""Instances beside the snippets of a grid: their lengths, and the mAP that segments on the grid can reach."""

from __future__ import annotations

import numpy as np

from tal_search.data.truth.truths import within
from tal_search.types import Annotations, Floats


def lengths(truth: Annotations) -> Floats:
    """Seconds of each instance inside its video, ascending, without those of no length; truth: with all durations."""
    inside = within(truth, truth.duration)
    return np.sort(inside.segment[:, 1] - inside.segment[:, 0])


def lengths_in(truth: Annotations, step_N: Floats) -> Floats:
    """The same in snippets, of step_N seconds in each video."""
    inside = within(truth, truth.duration)
    return np.sort((inside.segment[:, 1] - inside.segment[:, 0]) / step_N[inside.video])


def reachable(truth: Annotations, step_N: Floats, tiou: float) -> float:
    """The greatest mAP at one tIoU of detections that start and end between snippets of step_N seconds.

    Of each class it is the share of the instances that some such segment overlaps enough: no detection finds the
    others, so its recall ends there, and exact detections of the rest reach it. NaN without instances.
    """
    if not len(truth.label):
        return float("nan")
    found_N = best_overlap(truth, step_N) >= tiou - 1e-9
    return float(np.mean([found_N[truth.label == label].mean() for label in np.unique(truth.label)]))


def best_overlap(truth: Annotations, step_N: Floats) -> Floats:
    """[N] greatest tIoU of each instance with a segment on the grid of its video; 0 of an instance of no length.

    The best segment starts at one of the two points of the grid around the instance's start, and ends likewise.
    """
    start, end = (truth.segment / step_N[truth.video, None]).T
    best = np.zeros(len(start))
    for first in (np.floor(start), np.ceil(start)):
        for last in (np.floor(end), np.ceil(end)):
            shared = np.minimum(last, end) - np.maximum(first, start)
            union = np.maximum(last, end) - np.minimum(first, start)
            best = np.maximum(best, np.where((last > first) & (end > start), shared / np.maximum(union, 1e-12), 0.0))
    return best.clip(0.0, 1.0)
